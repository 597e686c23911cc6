import type { Bus, OrderedMessage } from '@plexus/bus';
import { CloudEvent } from '@plexus/contracts';
import { type Clock, isStorableText } from '@plexus/kernel';
import type { EventReference, EventSearch, StoredEvent, StoredEvents } from '../../application/policies/explain-ports.js';
import { type IncomingEvent, readIncomingEvent } from '../../domain/incoming-event.js';
import type { LogEvent } from '../../domain/engine/types.js';
import { readLogMessage } from './log-decoder.js';

const LOG = 'PLEXUS_PUSH_LOG';
/** Where what push matches is stored, by the origin that it has; foreign events have the source of their subject. */
const FOREIGN = 'PLEXUS_IN';
const FACTS: Readonly<Record<string, string>> = {
  'plexus.vm': 'PLEXUS_EVT_VM',
  'plexus.routing': 'PLEXUS_EVT_ROUTING',
  'plexus.memory': 'PLEXUS_EVT_MEMORY',
  'plexus.config': 'PLEXUS_EVT_CONFIG',
};
/** Every stream that an explanation looks through; the role of push may read them. */
export const EVENT_STREAMS: readonly string[] = [FOREIGN, ...Object.values(FACTS)];
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
    const left = { messages: this.bounds.messages, giveUpAt: this.clock.monotonic() + this.bounds.ms };
    const searches: EventSearch[] = [];
    for (const stream of streamsOf(event)) {
      const { found, search } = await this.#findIn(stream, tenant, event, near, left);
      searches.push(search);
      if (found !== undefined) return { found, search: together(searches) };
    }
    return { search: together(searches) };
  }

  async #findIn(
    stream: string,
    tenant: string,
    event: EventReference,
    near: number | undefined,
    left: { messages: number; readonly giveUpAt: number },
  ): Promise<{ readonly found?: StoredEvent; readonly search: EventSearch }> {
    const state = (await this.bus.jetstream.streamInfo(stream))?.state;
    // A stream that never held anything says 0 for both; the first message has 1.
    const [first, last] = [Math.max(1, state?.first_seq ?? 1), state?.last_seq ?? 0];
    const from = near === undefined ? last : await this.#positionAt(stream, near + AROUND_MS, first, last);
    let examined = 0;
    let span: { oldest?: string; newest?: string } = {};
    for (let high = from; high >= first; high -= TOGETHER) {
      if (left.messages <= 0 || this.clock.monotonic() >= left.giveUpAt) return { search: { stream, found: false, examined, ...span, exhausted: false } };
      const read = await this.#read(stream, Math.max(first, high - TOGETHER + 1), high);
      left.messages -= read.length;
      // How much others publish, and when, is nobody's business.
      const messages = read.filter(({ parsed }) => parsed?.tenant === tenant);
      examined += messages.length;
      span = widened(span, messages);
      for (const message of messages) {
        const found = readEvent(message, tenant, event);
        if (found !== undefined) return { found, search: { stream, found: true, examined, ...span, exhausted: false } };
      }
    }
    return { search: { stream, found: false, examined, ...span, exhausted: from === last } };
  }

  /** Newest first; what was deleted meanwhile is left out. */
  async #read(stream: string, low: number, high: number): Promise<OrderedMessage[]> {
    const positions = Array.from({ length: high - low + 1 }, (_, place) => high - place);
    const messages = await Promise.all(positions.map((position) => this.bus.messageAt(stream, position)));
    return messages.filter((message) => message !== undefined);
  }

  /** The last position that was stored before a moment, by halves: positions and times grow together. */
  async #positionAt(stream: string, time: number, first: number, last: number): Promise<number> {
    let low = first;
    let high = last;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const message = await this.bus.messageAt(stream, middle);
      // A hole says nothing about the time; going on upwards only makes the search begin later.
      if (message === undefined || message.time <= time) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Where the event can be: a name of the mesh as its origin or source says which facts; without either it may be any. */
function streamsOf({ origin, source }: EventReference): string[] {
  const named = origin ?? (source === undefined ? undefined : /^\/(plexus)\/([a-z]+)/.exec(source)?.slice(1).join('.'));
  const facts = named === undefined ? undefined : FACTS[named];
  if (facts !== undefined) return [facts];
  return origin === undefined ? [FOREIGN, ...Object.values(FACTS)] : [FOREIGN];
}

/** One account of several streams. */
function together(searches: readonly EventSearch[]): EventSearch {
  const [oldest] = searches.flatMap((one) => one.oldest ?? []).sort();
  const newest = searches
    .flatMap((one) => one.newest ?? [])
    .sort()
    .at(-1);
  return {
    stream: searches.map(({ stream }) => stream).join(', '),
    found: searches.some(({ found }) => found),
    examined: searches.reduce((sum, { examined }) => sum + examined, 0),
    ...(oldest === undefined ? {} : { oldest }),
    ...(newest === undefined ? {} : { newest }),
    exhausted: searches.every(({ exhausted }) => exhausted),
  };
}

function widened(span: { oldest?: string; newest?: string }, messages: readonly OrderedMessage[]): { oldest?: string; newest?: string } {
  const [newest, oldest] = [messages[0], messages.at(-1)];
  if (newest === undefined || oldest === undefined) return span;
  return { newest: span.newest ?? new Date(newest.time).toISOString(), oldest: new Date(oldest.time).toISOString() };
}

/** The event if this message holds it: valid, or with what is wrong with it. */
function readEvent(message: OrderedMessage, tenant: string, wanted: EventReference): StoredEvent | undefined {
  const { parsed, raw, seq, time } = message;
  if (parsed?.tenant !== tenant || (parsed.kind !== 'in' && parsed.kind !== 'evt')) return undefined;
  const origin = parsed.kind === 'in' ? parsed.domain : `plexus.${parsed.domain}`;
  if (wanted.origin !== undefined && origin !== wanted.origin) return undefined;
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
  return { event: readIncomingEvent(read.data, { tenant, origin, key: parsed.key, inputSeq: seq, receivedAt: time }) };
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
