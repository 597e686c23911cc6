import type { Bus, OrderedMessage } from '@plexus/bus';
import { CloudEvent } from '@plexus/contracts';
import { type Clock, isStorableText } from '@plexus/kernel';
import type { EventReference, EventSearch, StoredEvent, StoredEvents } from '../../application/policies/explain-ports.js';
import { type IncomingEvent, readIncomingEvent } from '../../domain/incoming-event.js';
import type { LogEvent } from '../../domain/engine/types.js';
import { readLogMessage } from './log-decoder.js';

const LOG = 'PLEXUS_PUSH_LOG';
const STREAM = 'PLEXUS_IN';
const TOGETHER = 24;
/** Publishing may take a moment longer than somebody remembers. */
const AROUND_MS = 10 * 60_000;

export interface SearchBounds {
  /** Most messages that are looked at. */
  readonly messages: number;
  readonly ms: number;
}

/** Events in the streams, read message by message: an explanation needs no consumer of its own, and may make none. */
export class NatsStoredEvents implements StoredEvents {
  constructor(
    private readonly bus: Pick<Bus, 'messageAt' | 'jetstream'>,
    private readonly clock: Clock,
    private readonly bounds: SearchBounds,
  ) {}

  async ofCandidate(tenant: string, position: number, event: EventReference): Promise<IncomingEvent | undefined> {
    const message = await this.bus.messageAt(LOG, position);
    const input = message === undefined ? undefined : readLogMessage(message, () => {})?.input;
    if (input?.kind !== 'candidate' || input.tenant !== tenant || !fits(input.data.event, event)) return undefined;
    return toIncoming(tenant, input.data.event, input.at, position);
  }

  async find(tenant: string, event: EventReference, near: number | undefined): Promise<{ readonly found?: StoredEvent; readonly search: EventSearch }> {
    const state = (await this.bus.jetstream.streamInfo(STREAM))?.state;
    const [first, last] = [state?.first_seq ?? 1, state?.last_seq ?? 0];
    const from = near === undefined ? last : await this.#positionAt(near + AROUND_MS, first, last);
    const giveUpAt = this.clock.monotonic() + this.bounds.ms;
    let examined = 0;
    let span: { oldest?: string; newest?: string } = {};
    for (let high = from; high >= first; high -= TOGETHER) {
      if (examined >= this.bounds.messages || this.clock.monotonic() >= giveUpAt)
        return { search: { stream: STREAM, found: false, examined, ...span, exhausted: false } };
      const low = Math.max(first, high - TOGETHER + 1);
      const messages = await this.#read(low, high);
      examined += messages.length;
      span = widened(span, messages);
      for (const message of messages) {
        const found = readEvent(message, tenant, event);
        if (found !== undefined) return { found, search: { stream: STREAM, found: true, examined, ...span, exhausted: false } };
      }
    }
    return { search: { stream: STREAM, found: false, examined, ...span, exhausted: from === last } };
  }

  /** Newest first; what was deleted meanwhile is left out. */
  async #read(low: number, high: number): Promise<OrderedMessage[]> {
    const positions = Array.from({ length: high - low + 1 }, (_, place) => high - place);
    const messages = await Promise.all(positions.map((position) => this.bus.messageAt(STREAM, position)));
    return messages.filter((message) => message !== undefined);
  }

  /** The last position that was stored before a moment, by halves: positions and times grow together. */
  async #positionAt(time: number, first: number, last: number): Promise<number> {
    let low = first;
    let high = last;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const message = await this.bus.messageAt(STREAM, middle);
      // A hole says nothing about the time; going on upwards only makes the search begin later.
      if (message === undefined || message.time <= time) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

function widened(span: { oldest?: string; newest?: string }, messages: readonly OrderedMessage[]): { oldest?: string; newest?: string } {
  const [newest, oldest] = [messages[0], messages.at(-1)];
  if (newest === undefined || oldest === undefined) return span;
  return { newest: span.newest ?? new Date(newest.time).toISOString(), oldest: new Date(oldest.time).toISOString() };
}

/** The event if this message holds it: valid, or with what is wrong with it. */
function readEvent(message: OrderedMessage, tenant: string, wanted: EventReference): StoredEvent | undefined {
  const { parsed, raw, seq, time } = message;
  if (parsed?.tenant !== tenant || parsed.kind !== 'in' || (wanted.origin !== undefined && parsed.domain !== wanted.origin)) return undefined;
  // Most messages are others: the body is parsed only when it can hold the id as it is.
  if (/^[\w.:-]+$/.test(wanted.id) && !Buffer.from(raw).includes(wanted.id)) return undefined;
  let body: unknown;
  try {
    body = message.json();
  } catch {
    // Not JSON: it has no id by which it could be meant.
    return undefined;
  }
  // Whose it is says the subject: an attribute `origin` would be anybody's.
  if (!fits(body as Partial<LogEvent>, { ...wanted, origin: undefined })) return undefined;
  const read = CloudEvent.safeParse(body);
  if (!read.success) {
    const [issue] = read.error.issues;
    return { invalid: `${issue?.path.map(String).join('.') || 'event'}: ${issue?.message ?? 'not valid'}.`, at: time };
  }
  const { tenantid } = read.data;
  if (tenantid !== undefined && tenantid !== tenant) return { invalid: 'tenantid: names another tenant than its subject.', at: time };
  return { event: readIncomingEvent(read.data, { tenant, origin: parsed.domain, key: parsed.key, inputSeq: seq, receivedAt: time }) };
}

type Wanted = { readonly [K in keyof EventReference]: EventReference[K] | undefined };

function fits(event: Partial<Pick<LogEvent, 'id' | 'source' | 'origin'>> | null, { id, source, origin }: Wanted): boolean {
  if (typeof event !== 'object' || event === null || event.id !== id) return false;
  if (source !== undefined && event.source !== source) return false;
  return origin === undefined || event.origin === origin;
}

function toIncoming(tenant: string, event: LogEvent, receivedAt: number, inputSeq: number): IncomingEvent {
  const { key: _key, expiresAt, summary, caseId, dedupKey, groupKey, state, data, ...rest } = event;
  return {
    ...rest,
    tenant,
    receivedAt,
    inputSeq,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(summary === undefined ? {} : { summary }),
    ...(caseId === undefined || !isStorableText(caseId) ? {} : { caseId }),
    ...(dedupKey === undefined ? {} : { dedupKey }),
    ...(groupKey === undefined ? {} : { groupKey }),
    ...(state === undefined ? {} : { state }),
    ...(data === undefined ? {} : { data }),
  };
}
