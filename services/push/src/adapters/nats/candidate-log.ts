import type { EncodedEvent, PubAck, RawPublishOptions } from '@plexus/bus';
import { errors } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';
import type { CandidateEntry, CandidateLog } from '../../application/deciding-ports.js';
import type { LogEntries } from './log-entries.js';

/** Publishes that wait for their receipts at the same time, in all; what is urgent has places of its own. */
const WINDOW = 128;
const URGENT_WINDOW = 32;

type Publish = (subject: string, body: Uint8Array, options: RawPublishOptions) => Promise<PubAck>;

/** Writes candidates with a window of receipts. The id of the message is made of tenant, user and event, so a repeat is not stored again. */
export class NatsCandidateLog implements CandidateLog {
  private readonly urgent = new Places(URGENT_WINDOW);
  private readonly others = new Places(WINDOW);

  constructor(
    private readonly entries: LogEntries,
    private readonly publish: Publish,
    private readonly onUnwritable: (candidate: CandidateEntry, problem: unknown) => void,
  ) {}

  async append(candidates: readonly CandidateEntry[]): Promise<void> {
    const receipts = candidates.flatMap((candidate) => {
      const places = candidate.event.severity === 'critical' ? this.urgent : this.others;
      return this.encode(candidate).map((message) =>
        places.run(() => this.publish(message.subject, message.body, { headers: message.headers, msgId: message.msgId })),
      );
    });
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
}

/** A bounded number of places. */
class Places {
  private taken = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly places: number) {}

  async run(work: () => Promise<unknown>): Promise<void> {
    while (this.taken >= this.places) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.taken += 1;
    try {
      await work();
    } finally {
      this.taken -= 1;
      this.waiting.shift()?.();
    }
  }
}

/** Without a receipt nobody knows whether it was stored; it is published again under the same id. */
function unavailable(cause: unknown): unknown {
  return PlexusError.isPlexusError(cause) && cause.retryable ? errors.create('UNAVAILABLE', { cause }) : cause;
}
