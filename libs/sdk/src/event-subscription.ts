import { type CloudEventOf, CloudEvent, type DataOf, type EventContract, type ParsedSubject, parseSubject } from '@plexus/contracts';
import { parseJson } from '@plexus/kernel';

/** A fact as it was received. */
export interface ReceivedEvent<C extends EventContract = EventContract> {
  readonly subject: string;
  readonly tenant: string;
  /** Key tokens of the subject, decoded. */
  readonly key: readonly string[];
  readonly event: CloudEventOf;
  readonly data: DataOf<C>;
}

export interface SubscriptionOptions {
  /** How many events may wait for the reader; more are dropped and counted. Default 1,024. */
  readonly capacity?: number;
}

/**
 * Facts as they happen, for `for await`. At most once: what passes while the connection is away, or faster than it is read, is not kept
 * (`dropped` counts the latter, `unreadable` what did not fit its contract). Whoever must not miss one reads with a durable consumer.
 */
export class EventSubscription<C extends EventContract> implements AsyncIterable<ReceivedEvent<C>> {
  /** Events that were not kept because the reader was too slow. */
  dropped = 0;
  /** Messages that were not events of this contract. */
  unreadable = 0;
  private readonly waiting: ReceivedEvent<C>[] = [];
  private wake: (() => void) | undefined;
  private ended = false;
  private failure: unknown;

  constructor(
    private readonly contract: C,
    private readonly capacity: number,
    private readonly release: () => void,
  ) {}

  /** Takes one message from the wire. */
  accept(subject: string, body: Uint8Array): void {
    if (this.ended) return;
    const received = this.read(subject, body);
    if (received === undefined) {
      this.unreadable += 1;
      return;
    }
    if (this.waiting.length >= this.capacity) {
      this.dropped += 1;
      return;
    }
    this.waiting.push(received);
    this.wake?.();
  }

  /** Ends the iteration after what waits; with an error the iteration throws it then. */
  stop(failure?: unknown): void {
    if (this.ended) return;
    this.ended = true;
    this.failure = failure;
    this.release();
    this.wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ReceivedEvent<C>, void, undefined> {
    try {
      for (;;) {
        const next = this.waiting.shift();
        if (next !== undefined) yield next;
        else if (this.ended) break;
        else await this.more();
      }
      if (this.failure !== undefined) throw this.failure;
    } finally {
      this.stop();
    }
  }

  private more(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = () => {
        this.wake = undefined;
        resolve();
      };
    });
  }

  private read(subject: string, body: Uint8Array): ReceivedEvent<C> | undefined {
    const address = addressOf(subject);
    const parsed = parseJson(body);
    const event = parsed.ok ? CloudEvent.safeParse(parsed.value) : undefined;
    if (address === undefined || !event?.success) return undefined;
    if (event.data.tenantid !== undefined && event.data.tenantid !== address.tenant) return undefined;
    const data = this.contract.data.safeParse(event.data.data);
    if (!data.success) return undefined;
    return { subject, tenant: address.tenant, key: address.key, event: event.data, data: data.data as DataOf<C> };
  }
}

function addressOf(subject: string): ParsedSubject | undefined {
  try {
    return parseSubject(subject);
  } catch {
    return undefined; // Counted as unreadable by the caller.
  }
}
