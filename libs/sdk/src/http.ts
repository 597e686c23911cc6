// The HTTP side, for Node and browsers. Types come from the contracts of the services that answer; nothing of them is loaded at run time.
import type {
  CloudEvent,
  InputOf,
  memoryContracts,
  pushContracts,
  pushPolicyContracts,
  pushTriggersContracts,
  ResponseOf,
  routingContracts,
  vmContracts,
} from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import type { StreamedEvent } from './http/event-source.js';
import { HttpLink, type HttpOptions, type RequestInput } from './http/http-link.js';

export { EventStreamReader, type StreamedEvent } from './http/event-source.js';
export type { HttpOptions, RequestInput } from './http/http-link.js';
export { PlexusError } from '@plexus/kernel';

type Memory = typeof memoryContracts;
type Push = typeof pushContracts;
type Triggers = typeof pushTriggersContracts;
type Routing = typeof routingContracts;
type Vm = typeof vmContracts;
type Signal = Pick<RequestInput, 'signal' | 'timeoutMs' | 'idempotencyKey'>;
type Query = NonNullable<RequestInput['query']>;

/** A CloudEvent as one posts it: version, id and time are filled in. */
export type PostedEvent = Partial<Pick<CloudEvent, 'specversion' | 'id'>> &
  Omit<CloudEvent, 'specversion' | 'id'> & { readonly type: string; readonly source: string };

/** Receipt of a posted event. */
export interface PostedReceipt {
  readonly id: string;
  readonly source: string;
  readonly subject: string;
  readonly stream: string;
  readonly seq: number;
  readonly duplicate: boolean;
}

/** A file that goes with a message: text, or a PNG, JPEG, GIF or WebP picture. */
export interface SentFile {
  readonly fileName?: string;
  /** Text needs none; pictures are known by their bytes. */
  readonly mimeType?: string;
  /** Base64, with or without a `data:` prefix. */
  readonly content: string;
}

const part = (text: string): string => encodeURIComponent(text);

/**
 * The HTTP API of one gateway. What has no method here is reached with {@link PlexusHttp.request}; the whole API is described under
 * `/v1/openapi.json`. Every failure is a `PlexusError` with the problem's code.
 */
export class PlexusHttp {
  private readonly link: HttpLink;

  constructor(options: HttpOptions) {
    this.link = new HttpLink(options);
  }

  /** Any route: `request('GET', '/v1/vms')`. */
  request<T = unknown>(method: string, path: string, input?: RequestInput): Promise<T> {
    return this.link.request<T>(method, path, input);
  }

  /** Any stream of server-sent events; it reconnects by itself and goes on behind the last event that was seen. */
  stream(path: string, o?: { readonly lastEventId?: string; readonly signal?: AbortSignal }): AsyncGenerator<StreamedEvent, void, undefined> {
    return this.link.stream(path, o);
  }

  readonly events = {
    /** Publishes a CloudEvent; resolves when it is stored. The same source and id again is the same event. */
    publish: (event: PostedEvent, o: Signal = {}): Promise<PostedReceipt> =>
      this.request('POST', '/v1/events', { ...o, body: { specversion: '1.0', id: ulid(), ...event } }),
  };

  readonly chat = {
    /** Accepts a message, with its files; it is durable when this resolves. The answer comes over the session's stream. */
    send: (
      message: { readonly message: string; readonly sessionKey?: string; readonly agentId?: string; readonly attachments?: readonly SentFile[] },
      o: Signal = {},
    ): Promise<ResponseOf<Routing['acceptMessage']>> => this.request('POST', '/v1/chat/send', { ...o, body: message }),
    /** Events of a session as they happen. */
    stream: (sessionKey: string, o: { readonly lastEventId?: string; readonly signal?: AbortSignal } = {}) =>
      this.stream(`/v1/sessions/${part(sessionKey)}/stream`, o),
    abort: (sessionKey: string, o: Signal & { readonly runId?: string } = {}): Promise<ResponseOf<Routing['cancelRun']>> => {
      const { runId, ...rest } = o;
      return this.request('POST', `/v1/sessions/${part(sessionKey)}/abort`, { ...rest, body: runId === undefined ? {} : { runId } });
    },
  };

  readonly sessions = {
    list: (query: Query = {}, o: Signal = {}): Promise<ResponseOf<Routing['listSessions']>> => this.request('GET', '/v1/sessions', { ...o, query }),
    history: (sessionKey: string, query: Query = {}, o: Signal = {}): Promise<ResponseOf<Routing['getHistory']>> =>
      this.request('GET', `/v1/sessions/${part(sessionKey)}/history`, { ...o, query }),
  };

  readonly inbox = {
    list: (query: Query = {}, o: Signal = {}): Promise<ResponseOf<Push['fetchInbox']>> => this.request('GET', '/v1/inbox', { ...o, query }),
    mark: (
      marks: { readonly ids?: readonly string[]; readonly upTo?: number; readonly state: 'seen' | 'read' | 'done' },
      o: Signal = {},
    ): Promise<ResponseOf<Push['markInbox']>> => this.request('POST', '/v1/inbox/marks', { ...o, body: marks }),
    /** The present end of the inbox, for `stream({ lastEventId })`: whatever is decided after this call is then seen, whenever the stream opens. */
    position: async (o: Signal = {}): Promise<string> => {
      const { epoch, head } = await this.inbox.list({ limit: 1 }, o);
      return `${epoch}:${head}`;
    },
    /** New items as they are decided, from `lastEventId` on or else from the moment the stream opens; after a reconnect those that were missed. */
    stream: (o: { readonly lastEventId?: string; readonly signal?: AbortSignal } = {}) => this.stream('/v1/inbox/stream', o),
  };

  readonly push = {
    subscribe: (subscription: InputOf<Push['subscribe']>, o: Signal = {}): Promise<ResponseOf<Push['subscribe']>> =>
      this.request('POST', '/v1/subscriptions', { ...o, body: subscription }),
    /** Why a person was told of an event, or was not. */
    explain: (event: string, user: string | undefined, o: Signal = {}): Promise<ResponseOf<(typeof pushPolicyContracts)['explain']>> =>
      this.request('GET', '/v1/push/explain', { ...o, query: { event, user } }),
  };

  readonly memory = {
    write: (memory: InputOf<Memory['writeMemory']>, o: Signal = {}): Promise<ResponseOf<Memory['writeMemory']>> =>
      this.request('POST', '/v1/memory', { ...o, body: memory }),
    search: (q: string, query: Query = {}, o: Signal = {}): Promise<ResponseOf<Memory['searchMemory']>> =>
      this.request('GET', '/v1/memory/search', { ...o, query: { ...query, q } }),
    delete: (id: string, o: Signal = {}): Promise<ResponseOf<Memory['deleteMemory']>> => this.request('DELETE', `/v1/memory/${part(id)}`, o),
  };

  readonly vms = {
    ensure: (input: InputOf<Vm['ensureVm']> = {}, o: Signal = {}): Promise<ResponseOf<Vm['ensureVm']>> =>
      this.request('POST', '/v1/vms/ensure', { ...o, body: input }),
    list: (query: Query = {}, o: Signal = {}): Promise<ResponseOf<Vm['listVms']>> => this.request('GET', '/v1/vms', { ...o, query }),
    why: (id: string, o: Signal = {}): Promise<ResponseOf<Vm['whyVm']>> => this.request('GET', `/v1/vms/${part(id)}/why`, o),
  };

  readonly tools = {
    dispatchResearch: (input: InputOf<Triggers['dispatchResearch']>, o: Signal = {}): Promise<ResponseOf<Triggers['dispatchResearch']>> =>
      this.request('POST', '/v1/tools/dispatch-research', { ...o, body: input }),
    notifyUser: (input: InputOf<Triggers['notifyUser']>, o: Signal = {}): Promise<ResponseOf<Triggers['notifyUser']>> =>
      this.request('POST', '/v1/tools/notify-user', { ...o, body: input }),
  };
}
