import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '@plexus/bus';
import { type ResponseOf, routingContracts } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';
import { type MeshOptions, withBus } from '../mesh.js';
import { operatorToken } from '../operator-call.js';
import { agentOfSession, mapSession } from './map-session.js';
import type { FoundSession } from './read-state.js';
import type { NotTaken } from './reading.js';
import { mapTranscript, type TranscriptMessage } from './transcript.js';

type Outcome = ResponseOf<typeof routingContracts.importSession>;

/** What became of one conversation. */
export interface ImportedSession {
  /** Its key in OpenClaw. */
  readonly from: string;
  /** Absent when it is not taken over. */
  readonly outcome?: Outcome;
  readonly notTaken: readonly NotTaken[];
}

interface SendOptions {
  readonly dryRun: boolean;
  readonly tenant: string;
  readonly user: string;
  /** Agents that there are, or will be. */
  readonly agents: ReadonlySet<string>;
}

const PAGE_MESSAGES = 100;
const PAGE_BYTES = 256 * 1024;
/** What is said of one session and means nothing for the others. */
const REFUSALS: ReadonlySet<string> = new Set(['INVALID_REQUEST', 'PAYLOAD_TOO_LARGE']);
/** A configuration that was just written reaches the replicas a moment later. */
const PATIENCE = { tries: 100, pauseMs: 100 };

/** Hands conversations over, the oldest first, so that the last one used is the last one touched. */
export async function importSessions(mesh: MeshOptions, sessions: readonly FoundSession[], options: SendOptions): Promise<ImportedSession[]> {
  if (sessions.length === 0) return [];
  return withBus(mesh, async (bus) => {
    const imported: ImportedSession[] = [];
    for (const session of sessions) imported.push(await importOne(bus, mesh, session, options));
    return imported;
  });
}

async function importOne(bus: Bus, mesh: MeshOptions, session: FoundSession, options: SendOptions): Promise<ImportedSession> {
  const { sessionKey: from, sessionId } = session;
  const none = (reason: string): ImportedSession => ({ from, notTaken: [{ path: `session ${from}`, reason }] });
  const agent = agentOfSession(session);
  if (!options.agents.has(agent)) return none(`its agent ${agent} is not configured`);
  const entries = session.transcript();
  const { messages, left } = mapTranscript(sessionId, entries ?? [], new Date(session.updatedAt).toISOString());
  const notTaken = Object.entries(left).map(([reason, count]) => ({ path: `session ${from}`, reason: `${count} ${reason}` }));
  if (entries === undefined) notTaken.push({ path: `session ${from}`, reason: 'it has no transcript: the session begins empty' });
  let outcome: Outcome | undefined;
  for (const page of pagesOf(messages)) {
    const { dryRun } = options;
    const call = async () =>
      bus.call(
        routingContracts.importSession,
        options.tenant,
        { ...mapSession(session), messages: page, dryRun },
        { token: await operatorToken(mesh, options) },
      );
    try {
      outcome = sum(outcome, await patiently(call));
    } catch (error) {
      if (!PlexusError.isPlexusError(error) || !REFUSALS.has(error.code)) throw error;
      // A key that is none, or of another agent: the other sessions are taken all the same.
      if (outcome === undefined) return none(error.message);
      notTaken.push({ path: `session ${from}`, reason: `the rest of its messages: ${error.message}` });
      break;
    }
  }
  return { from, ...(outcome !== undefined && { outcome }), notTaken };
}

function sum(before: Outcome | undefined, page: Outcome): Outcome {
  if (before === undefined) return page;
  return { ...before, appended: before.appended + page.appended, known: before.known + page.known };
}

async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await call();
    } catch (error) {
      if (tries >= PATIENCE.tries || !PlexusError.isPlexusError(error) || error.code !== 'NOT_FOUND') throw error;
      await sleep(PATIENCE.pauseMs);
    }
  }
}

/** At least one page: a session without messages keeps its key all the same. */
function pagesOf(messages: readonly TranscriptMessage[]): TranscriptMessage[][] {
  const pages: TranscriptMessage[][] = [[]];
  let bytes = 0;
  for (const message of messages) {
    const size = Buffer.byteLength(JSON.stringify(message));
    const page = pages.at(-1) as TranscriptMessage[];
    if (page.length > 0 && (page.length >= PAGE_MESSAGES || bytes + size > PAGE_BYTES)) {
      pages.push([message]);
      bytes = size;
    } else {
      page.push(message);
      bytes += size;
    }
  }
  return pages;
}
