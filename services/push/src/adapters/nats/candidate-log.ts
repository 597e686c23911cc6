import type { EncodedEvent, PubAck, RawPublishOptions } from '@plexus/bus';
import { errors } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';
import type { CandidateEntry, CandidateLog } from '../../application/deciding-ports.js';
import type { LogEntries } from './log-entries.js';

/** Publishes that wait for their receipts at the same time, in all. */
const WINDOW = 128;

type Publish = (subject: string, body: Uint8Array, options: RawPublishOptions) => Promise<PubAck>;

/** Writes candidates with a window of receipts. The id of the message is made of tenant, user and event, so a repeat is not stored again. */
export class NatsCandidateLog implements CandidateLog {
  private inFlight = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(
    private readonly entries: LogEntries,
    private readonly publish: Publish,
    private readonly onUnwritable: (candidate: CandidateEntry, problem: unknown) => void,
  ) {}

  async append(candidates: readonly CandidateEntry[]): Promise<void> {
    const receipts = candidates.flatMap((candidate) => this.encode(candidate)).map((message) => this.send(message));
    const failed = (await Promise.allSettled(receipts)).find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined;
    if (failed !== undefined) throw unavailable(failed.reason);
  }

  /** A candidate that fits no message must not keep the event from everybody else. */
  private encode(candidate: CandidateEntry): EncodedEvent[] {
    const { tenant, user, event, hits, score, agent, note } = candidate;
    try {
      const data = { event, hits: [...hits], score, ...(agent === undefined ? {} : { agent }), ...(note === undefined ? {} : { note }) };
      return this.entries.encoded({ tenant, user, kind: 'candidate', id: event.key, data });
    } catch (problem) {
      this.onUnwritable(candidate, problem);
      return [];
    }
  }

  private async send({ subject, body, headers, msgId }: EncodedEvent): Promise<void> {
    while (this.inFlight >= WINDOW) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.inFlight += 1;
    try {
      await this.publish(subject, body, { headers, msgId });
    } finally {
      this.inFlight -= 1;
      this.waiting.shift()?.();
    }
  }
}

/** Without a receipt nobody knows whether it was stored; it is published again under the same id. */
function unavailable(cause: unknown): unknown {
  return PlexusError.isPlexusError(cause) && cause.retryable ? errors.create('UNAVAILABLE', { cause }) : cause;
}
