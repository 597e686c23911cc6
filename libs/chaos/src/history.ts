/** What clients did and saw during a run, and what was there in the end. Plain data: it can be kept, generated and checked. */

/** `maybe`: nobody told the client, so it may or may not have happened. `refused`: the answer says that it did not. */
export type OperationOutcome = 'ok' | 'maybe' | 'refused';
export type OperationKind = 'say' | 'event' | 'remember' | 'inject' | 'ensure';

/** One thing that a client wanted. Repeats under the same id (after a timeout, or on purpose) are the same operation. */
export interface Operation {
  /** Unique: run id, event id, idempotency key. */
  readonly id: string;
  readonly kind: OperationKind;
  readonly tenant: string;
  /** The person; of an event nobody. */
  readonly user: string;
  /** Session key, case, or nothing. */
  readonly place: string;
  /** Ms since the run began. */
  readonly startedAt: number;
  endedAt: number;
  outcome: OperationOutcome;
  attempts: number;
  /** What it was answered with: id of the memory or VM. */
  result?: string;
  error?: string;
}

/** Whoever follows a case is told of its events. */
export interface Following {
  readonly tenant: string;
  readonly user: string;
  readonly caseId: string;
}

export interface InboxEntry {
  readonly offset: number;
  readonly id: string;
  readonly events: readonly string[];
}

/** What one device of a person took from the inbox, over all its connections, in the order in which it came. */
export interface DeviceView {
  readonly tenant: string;
  readonly user: string;
  readonly device: string;
  readonly entries: readonly InboxEntry[];
  /** Resumes that did not recover, and items that came out of turn. */
  readonly problems: readonly string[];
  readonly connections: number;
}

/** An end of a run as one connection was told it. */
export interface SeenEnd {
  readonly tenant: string;
  readonly user: string;
  readonly connection: string;
  readonly runId: string;
  readonly state: string;
}

/** Text that somebody was shown and that carries the mark of another tenant. */
export interface Leak {
  readonly tenant: string;
  readonly user: string;
  readonly where: string;
  readonly text: string;
}

export interface TranscriptMessage {
  readonly role: string;
  readonly text: string;
  readonly runId?: string;
}

export interface FinalState {
  readonly transcripts: readonly {
    readonly tenant: string;
    readonly user: string;
    readonly session: string;
    readonly messages: readonly TranscriptMessage[];
  }[];
  /** Rows of routing. */
  readonly runs: readonly { readonly tenant: string; readonly user: string; readonly runId: string; readonly status: string; readonly error?: string }[];
  /** Run ids whose end is in the stream of session events. */
  readonly endedInStream: readonly string[];
  readonly inboxes: readonly { readonly tenant: string; readonly user: string; readonly head: number; readonly entries: readonly InboxEntry[] }[];
  /** The same from the rows of push, by offset. */
  readonly inboxRows: readonly { readonly tenant: string; readonly user: string; readonly entries: readonly InboxEntry[] }[];
  readonly memories: readonly { readonly tenant: string; readonly user: string; readonly id: string; readonly content: string }[];
  readonly vms: readonly { readonly tenant: string; readonly user: string; readonly vmId: string; readonly state: string }[];
  /** Processes of VMs. */
  readonly processes: readonly { readonly vmId: string; readonly pid: number }[];
  /** Event ids in the stream of foreign events, with repeats. */
  readonly storedEvents: readonly string[];
  readonly parked: readonly { readonly subject: string; readonly reason: string }[];
  /** What did not come to rest in time: consumers with a backlog, outboxes with rows, runs without an end. Empty when everything did. */
  readonly unsettled: readonly string[];
}

export interface History {
  readonly operations: readonly Operation[];
  readonly following: readonly Following[];
  readonly views: readonly DeviceView[];
  readonly ends: readonly SeenEnd[];
  readonly leaks: readonly Leak[];
  readonly final: FinalState;
}

/** The mark that every text of a tenant carries. */
export const canary = (tenant: string): string => `<<${tenant}>>`;

/** Marks of other tenants in a text. */
export function foreignCanaries(text: string, tenant: string): string[] {
  return [...text.matchAll(/<<([a-z0-9_-]+)>>/g)].map((match) => match[1] as string).filter((other) => other !== tenant);
}
