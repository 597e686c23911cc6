import type { TenantConfig } from '@plexus/agent-config';
import { plexusError } from '@plexus/contracts';
import { admitToQueue } from '../domain/queue-policy.js';
import { type MessageHandling, type RunRequest, requestHash } from '../domain/run-request.js';
import { composeRunStart } from '../domain/run-start.js';
import type { SessionAddress } from '../domain/session-address.js';
import { mergeEntry } from '../domain/session-entry.js';
import { isStopCommand, stopAnswer } from '../domain/stop-command.js';
import type { AnswerChannel } from './answer-channel.js';
import { cancelRuns } from './cancel-run.js';
import { messageAppended, runEnded, runSteer, sessionChanged } from './outgoing.js';
import { isOpen, type MessageContent, type Outgoing, type RoutingStore, type RoutingTransaction, type StoredRun, type StoredSession } from './ports.js';
import type { ReleaseNextRun } from './release-next-run.js';

export interface AcceptedMessage {
  readonly run: StoredRun;
  /** `accepted`: this call made the run; otherwise the key was known and its run goes on or is over. */
  readonly status: 'accepted' | 'in_flight' | 'done';
}

/** What a caller wants answered, and how it is taken. */
export interface NewMessage extends MessageHandling {
  readonly request: RunRequest;
  /** What happens above the cap: the caller hears QUEUE_FULL, or the oldest waiting message makes room and ends as QUEUE_FULL. */
  readonly overflow: 'refuse' | 'drop-oldest';
  /** Who stored the files of the request; they become the session's. */
  readonly uploader?: string | undefined;
  /** The session takes only one message of that key, whoever brings it. */
  readonly onceKey?: string | undefined;
}

type Draft = NewMessage & { readonly runId: string; readonly hash: string };

/**
 * Takes one message into a session: transcript, run and what is to be published commit together, and only then is it answered.
 * A session has one run on its way; what becomes of further messages is decided by their queue mode.
 */
export class AcceptMessage {
  readonly #store: RoutingStore;
  readonly #release: ReleaseNextRun;
  readonly #newId: () => string;
  readonly #queueLimit: number;
  readonly #answers: AnswerChannel;

  constructor(store: RoutingStore, release: ReleaseNextRun, answers: AnswerChannel, newId: () => string, queueLimit: number) {
    this.#store = store;
    this.#release = release;
    this.#answers = answers;
    this.#newId = newId;
    this.#queueLimit = queueLimit;
  }

  /**
   * `runId` is the caller's idempotency key. Rejects with CONFLICT when it was used for another request, with QUEUE_FULL when too many
   * messages wait, with PAYLOAD_TOO_LARGE when no command could carry the message.
   */
  async execute(config: TenantConfig, address: SessionAddress, runId: string | undefined, message: NewMessage): Promise<AcceptedMessage> {
    const id = runId ?? this.#newId();
    this.requireSendable(config, address, id, message.request);
    return this.#store.transaction((tx) => this.acceptIn(tx, config, address, id, message));
  }

  /** Throws PAYLOAD_TOO_LARGE. */
  requireSendable(config: TenantConfig, address: SessionAddress, runId: string, request: RunRequest): void {
    composeRunStart({ ...address, ...request, sessionId: '', runId }, config, [], { messages: 0, bytes: 0 });
  }

  /** Whether the session took a message under this key; it stays locked until the transaction ends. */
  async knows(tx: RoutingTransaction, address: SessionAddress, onceKey: string): Promise<boolean> {
    const session = await tx.lockSession(address, address.sessionKey);
    return session !== undefined && (await tx.findMessageByKey(session, onceKey)) !== undefined;
  }

  /** The same inside a transaction of the caller. */
  async acceptIn(tx: RoutingTransaction, config: TenantConfig, address: SessionAddress, runId: string, message: NewMessage): Promise<AcceptedMessage> {
    const hash = requestHash(address, message.request);
    const { session, created } = await tx.openSession(address, this.#newId());
    const { run: known, queued } = await tx.findRunAndQueue(address, runId, session.sessionId);
    if (known) return repeated(known, hash);
    const outgoing: Outgoing[] = created ? [sessionChanged(session, 'created', session.sessionId)] : [];
    if (message.entry) await tx.setEntry(session, mergeEntry(session.entry, message.entry));
    const draft = { ...message, runId, hash };
    const isStop = isStopCommand(message.request.message) && !hasFiles(message);
    const run = isStop ? await this.#stop(tx, session, draft, outgoing) : await this.#admit(tx, config, session, queued, draft, outgoing);
    await tx.publish(outgoing);
    return { run, status: 'accepted' };
  }

  /** Nothing waits for this message and it waits for nothing: what is open is cancelled, and its own run has its answer at once. */
  async #stop(tx: RoutingTransaction, session: StoredSession, message: Draft, outgoing: Outgoing[]): Promise<StoredRun> {
    const open = await tx.openRuns(session.sessionId);
    const running = open.filter(({ status }) => status === 'started').length;
    const waiting = open.filter(({ status, mergedInto }) => status === 'queued' && mergedInto === undefined).length;
    outgoing.push(...(await cancelRuns(tx, session, open, 'stopped', this.#newId)));
    const run = await this.#append(tx, session, message, false, outgoing);
    const text = stopAnswer({ running, waiting });
    const answer = await tx.appendMessage(session, { messageId: this.#newId(), role: 'assistant', text, runId: run.runId });
    await tx.endRun(session, run, { status: 'ok', text });
    await this.#answers.queue(tx, run, text);
    outgoing.push(messageAppended(session, answer), runEnded(run, { type: 'execution_complete', content: text }));
    return { ...run, status: 'ok', text };
  }

  async #admit(tx: RoutingTransaction, config: TenantConfig, session: StoredSession, queued: number, message: Draft, outgoing: Outgoing[]): Promise<StoredRun> {
    const limit = Math.min(this.#queueLimit, message.queue.cap);
    // A file cannot be handed to a run that is going on: such a message waits.
    const mode = hasFiles(message) && message.queue.mode === 'steer' ? 'collect' : message.queue.mode;
    let admission = admitToQueue(mode, { active: session.activeRunId !== undefined, waiting: queued }, limit);
    if (admission.kind === 'refuse') {
      if (message.overflow === 'refuse') throw plexusError('QUEUE_FULL', { details: { sessionKey: session.sessionKey, queued, limit } });
      outgoing.push(...(await this.#dropOldest(tx, session, queued - limit + 1)));
      admission = { kind: 'wait' };
    }
    // What waits is dropped; what runs is told to stop, and its end hands out the new message.
    if (admission.kind === 'interrupt') {
      outgoing.push(...(await cancelRuns(tx, session, await tx.openRuns(session.sessionId), 'interrupted', this.#newId)));
    }
    const run = await this.#append(tx, session, message, admission.kind === 'start', outgoing);
    if (admission.kind === 'start') outgoing.push(await this.#release.compose(tx, config, run, contentOf(message)));
    else if (admission.kind === 'steer' && session.activeRunId !== undefined) {
      outgoing.push(runSteer(session, session.activeRunId, run.runId, message.request.message));
    } else if (session.activeRunId === undefined) outgoing.push(...(await this.#release.execute(tx, config, session, await waitingRuns(tx, session))));
    return run;
  }

  async #append(tx: RoutingTransaction, session: StoredSession, message: Draft, started: boolean, outgoing: Outgoing[]): Promise<StoredRun> {
    const { request, runId, hash, queue, configRevision, replyRoute, sender, onceKey } = message;
    const { extraSystemPrompt, timeoutMs } = request;
    await takeFiles(tx, session, message);
    const said = { messageId: this.#newId(), role: 'user' as const, ...contentOf(message), runId, sender };
    const appended = await tx.appendMessage(session, { ...said, idempotencyKey: onceKey });
    const draft = { runId, requestHash: hash, messageSeq: appended.seq, extraSystemPrompt, timeoutMs, started };
    outgoing.push(messageAppended(session, appended));
    return tx.insertRun(session, { ...draft, configRevision, queueMode: queue.mode, replyRoute });
  }

  async #dropOldest(tx: RoutingTransaction, session: StoredSession, count: number): Promise<Outgoing[]> {
    const error = { code: 'QUEUE_FULL', message: 'Too many messages waited in this session; the oldest made room.' };
    const outgoing: Outgoing[] = [];
    for (const run of (await waitingRuns(tx, session)).slice(0, count)) {
      await tx.endRun(session, run, { status: 'error', text: '', error });
      outgoing.push(runEnded(run, { type: 'execution_error', code: error.code, error: error.message }));
    }
    return outgoing;
  }
}

const hasFiles = ({ request }: NewMessage): boolean => (request.attachments?.length ?? 0) > 0;
const contentOf = ({ request: { message, attachments } }: NewMessage): MessageContent => ({ text: message, attachments });

async function takeFiles(tx: RoutingTransaction, session: StoredSession, message: NewMessage): Promise<void> {
  if (!hasFiles(message)) return;
  const ids = message.request.attachments?.map(({ attachmentId }) => attachmentId) ?? [];
  if (message.uploader === undefined || !(await tx.bindAttachments(session, message.uploader, ids))) {
    throw plexusError('NOT_FOUND', { message: 'An attachment of this message is not there as a whole; store it again.', details: { attachments: ids } });
  }
}

/** Runs that nobody has taken along yet, oldest first. */
export async function waitingRuns(tx: RoutingTransaction, session: StoredSession): Promise<StoredRun[]> {
  return (await tx.openRuns(session.sessionId)).filter((run) => run.status === 'queued' && run.mergedInto === undefined);
}

function repeated(run: StoredRun, hash: string): AcceptedMessage {
  if (run.requestHash !== hash) {
    throw plexusError('CONFLICT', { message: 'This idempotency key was used for another message.', details: { runId: run.runId } });
  }
  return { run, status: isOpen(run) ? 'in_flight' : 'done' };
}
