import type { TenantConfig } from '@plexus/agent-config';
import { type Clock, PlexusError } from '@plexus/kernel';
import { gather, joinMessages, releaseAt, type Waiting } from '../domain/queue-policy.js';
import { queueSettings } from '../domain/queue-settings.js';
import { sameReplyPlace } from '../domain/reply-route.js';
import { composeRunStart, type HistoryLimits } from '../domain/run-start.js';
import { jsonBytes } from '../domain/text-limits.js';
import { runEnded, runStart } from './outgoing.js';
import type { MessageContent, Outgoing, RoutingTransaction, StoredRun, StoredSession } from './ports.js';

/** What messages that are gathered may weigh together; a single one may weigh more. */
const MAX_GATHERED_BYTES = 256 * 1024;

interface WaitingRun extends Waiting {
  readonly run: StoredRun;
  readonly content: MessageContent;
}

/** What is counted for each file when messages are gathered: what is said of one weighs less. */
const ATTACHMENT_BYTES = 1_024;

/**
 * Hands out the waiting messages of a session that is free; with the session locked, so that there is never more than one run on its way. Messages
 * that are collected become one run once it has been quiet for a while; the others follow one by one. A run that can no longer be composed
 * (the agent's prompt has grown too large meanwhile) ends there and the next one gets its turn.
 */
export class ReleaseNextRun {
  readonly #limits: HistoryLimits;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #wakeAt: (at: number) => void;

  /** `wakeAt` is told when a session is to be looked at again; its time is stored as well, so a hint that is lost costs only time. */
  constructor(limits: HistoryLimits, clock: Pick<Clock, 'now'>, wakeAt: (at: number) => void) {
    this.#limits = limits;
    this.#clock = clock;
    this.#wakeAt = wakeAt;
  }

  /** Starts the next run of `waiting` (oldest first), unless it is to wait for more messages, and returns what is to be published. */
  async execute(tx: RoutingTransaction, config: TenantConfig | undefined, session: StoredSession, waiting: readonly StoredRun[]): Promise<Outgoing[]> {
    const runs = await Promise.all(waiting.map((run) => describe(tx, run)));
    const debounceMs = config === undefined ? 0 : queueSettings(config, { channel: waiting[0]?.replyRoute?.channel, agentId: session.agentId }).debounceMs;
    const due = releaseAt(runs, debounceMs);
    if (due > this.#clock.now()) {
      await tx.setRelease(session, due);
      this.#wakeAt(due);
      return [];
    }
    await tx.setRelease(session, undefined);
    const outgoing: Outgoing[] = [];
    for (let rest = runs; rest.length > 0; ) {
      const gathered = gather(rest, MAX_GATHERED_BYTES);
      const { started, facts } = await this.#start(tx, config, session, gathered);
      outgoing.push(...facts);
      if (started) break;
      rest = rest.slice(gathered.length);
    }
    return outgoing;
  }

  /** Throws PAYLOAD_TOO_LARGE. */
  async compose(tx: RoutingTransaction, config: TenantConfig | undefined, run: Omit<StoredRun, 'requestHash'>, content: MessageContent): Promise<Outgoing> {
    const history = await tx.history(run.sessionId, run.messageSeq, this.#limits);
    return runStart(run, composeRunStart({ ...run, message: content.text, attachments: content.attachments }, config, history, this.#limits));
  }

  async #start(
    tx: RoutingTransaction,
    config: TenantConfig | undefined,
    session: StoredSession,
    gathered: readonly WaitingRun[],
  ): Promise<{ started: boolean; facts: Outgoing[] }> {
    const [leader, ...merged] = gathered.map(({ run }) => run);
    if (!leader) return { started: false, facts: [] };
    try {
      const start = await this.compose(tx, config, leader, joined(gathered));
      await tx.startRun(session, leader);
      await tx.mergeRuns(leader, merged);
      return { started: true, facts: [start] };
    } catch (error) {
      if (!PlexusError.isPlexusError(error) || error.code !== 'PAYLOAD_TOO_LARGE') throw error;
      const facts: Outgoing[] = [];
      for (const run of [leader, ...merged]) {
        await tx.endRun(session, run, { status: 'error', text: '', error: { code: error.code, message: error.message } });
        facts.push(runEnded(run, { type: 'execution_error', code: error.code, error: error.message }));
      }
      return { started: false, facts };
    }
  }
}

async function describe(tx: RoutingTransaction, run: StoredRun): Promise<WaitingRun> {
  const content = await tx.messageContent(run.sessionId, run.messageSeq);
  const gatherKey = JSON.stringify([sameReplyPlace(run.replyRoute), run.extraSystemPrompt ?? '', run.timeoutMs]);
  // A message that was meant to steer and that nobody took along is answered like one that was collected.
  const mode = run.queueMode === 'steer' ? 'collect' : run.queueMode;
  const bytes = jsonBytes(content.text) + ATTACHMENT_BYTES * (content.attachments?.length ?? 0);
  return { run, content, mode, gatherKey, at: run.createdAt.getTime(), bytes };
}

function joined(gathered: readonly WaitingRun[]): MessageContent {
  return { text: joinMessages(gathered.map(({ content }) => content.text)), attachments: gathered.flatMap(({ content }) => content.attachments ?? []) };
}
