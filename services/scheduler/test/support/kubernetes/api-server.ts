import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type Change, KINDS, type KubeObject, ObjectStore, Refusal, type Resource } from './object-store.js';
import { validate } from './validation.js';

export interface ApiRequest {
  readonly method: string;
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly query: URLSearchParams;
  readonly body: string;
}

/** What happens instead of the usual: a refusal, a cut connection, or silence. Undefined: the usual. */
export type Fault = Refusal | 'cut' | 'silence' | undefined;

interface OpenWatch {
  readonly response: ServerResponse;
  readonly wants: (change: Change) => boolean;
  stalled: boolean;
}

/** An API server on a real socket, good enough to be wrong with: versions, watches, bookmarks, paging, preconditions, refusals. */
export class StandInApiServer {
  readonly store = new ObjectStore();
  readonly requests: ApiRequest[] = [];
  /** Asked before each request is carried out. */
  fault: (request: ApiRequest) => Fault | Promise<Fault> = () => undefined;
  /** Log of a container, for `GET …/log`. */
  logOf: (pod: KubeObject) => string | undefined = () => undefined;
  private readonly watches = new Set<OpenWatch>();
  private readonly sockets = new Set<Socket>();
  private readonly server = http.createServer((request, response) => void this.answer(request, response));
  private readonly pages = new Map<string, { items: KubeObject[]; version: string }>();

  private constructor() {
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
    this.store.listen((change) => {
      for (const watch of this.watches) if (!watch.stalled && watch.wants(change)) send(watch.response, change.type, change.object);
    });
  }

  static async start(): Promise<StandInApiServer> {
    const stand = new StandInApiServer();
    await new Promise<void>((resolve) => stand.server.listen(0, '127.0.0.1', resolve));
    return stand;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** A kubeconfig for this server. */
  get kubeconfig(): string {
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'stand-in',
      clusters: [{ name: 'stand-in', cluster: { server: this.url, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'scheduler', user: { token: 'a-token' } }],
      contexts: [{ name: 'stand-in', context: { cluster: 'stand-in', user: 'scheduler' } }],
    });
  }

  get openWatches(): number {
    return this.watches.size;
  }

  /** Cuts every watch in the middle of its stream. */
  cutWatches(): void {
    for (const { response } of this.watches) response.socket?.destroy();
  }

  /** Watches stay open and say nothing any more. */
  stallWatches(): void {
    for (const watch of this.watches) watch.stalled = true;
  }

  bookmark(): void {
    for (const { response } of this.watches)
      send(response, 'BOOKMARK', { apiVersion: 'v1', kind: 'Pod', metadata: { resourceVersion: String(this.store.currentVersion) } });
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const parsed = await parse(request);
      this.requests.push(parsed);
      const fault = await this.fault(parsed);
      if (fault === 'cut') {
        response.socket?.destroy();
        return;
      }
      if (fault === 'silence') return;
      if (fault !== undefined) throw fault;
      this.carryOut(parsed, request, response);
    } catch (error) {
      const refusal = error instanceof Refusal ? error : new Refusal(500, 'InternalError', String(error));
      if (refusal.retryAfterSeconds !== undefined) response.setHeader('retry-after', String(refusal.retryAfterSeconds));
      reply(response, refusal.code, {
        apiVersion: 'v1',
        kind: 'Status',
        status: 'Failure',
        code: refusal.code,
        reason: refusal.reason,
        message: refusal.message,
      });
    }
  }

  private carryOut(parsed: ApiRequest, request: IncomingMessage, response: ServerResponse): void {
    const { method, resource, namespace, name, query } = parsed;
    const space = resource === 'namespaces' ? '' : (namespace ?? '');
    if (method === 'GET' && query.get('watch') === 'true') this.watch(parsed, response);
    else if (method === 'GET' && name?.endsWith('/log')) this.log(this.store.get(resource, space, name.slice(0, -4)), query, response);
    else if (method === 'GET' && name === undefined) {
      reply(response, 200, this.list(parsed, request.headers.accept?.includes('PartialObjectMetadataList') === true));
    } else if (method === 'GET') reply(response, 200, this.store.get(resource, space, name as string));
    else if (method === 'DELETE') reply(response, 200, this.delete(parsed, space));
    else reply(response, method === 'POST' ? 201 : 200, this.write(parsed, space, request.headers['content-type']));
  }

  private delete({ resource, name, body }: ApiRequest, space: string): KubeObject {
    const options = body === '' ? {} : (JSON.parse(body) as { preconditions?: { uid?: string }; gracePeriodSeconds?: number });
    return this.store.delete(resource, space, name as string, { uid: options.preconditions?.uid, graceSeconds: options.gracePeriodSeconds });
  }

  private write({ method, resource, name, body: text }: ApiRequest, space: string, mediaType: string | undefined): KubeObject {
    const body = JSON.parse(text) as KubeObject;
    if (method === 'POST') {
      validate(resource, body);
      return this.store.create(resource, space, body);
    }
    const current = this.store.get(resource, space, name as string);
    if (method === 'PATCH') {
      if (mediaType !== 'application/merge-patch+json') throw new Refusal(415, 'UnsupportedMediaType', `no patch of type ${mediaType}`);
      const { labels, annotations, ...metadata } = body.metadata;
      Object.assign(current.metadata, metadata, {
        annotations: { ...current.metadata.annotations, ...annotations },
        labels: { ...current.metadata.labels, ...labels },
      });
      return this.store.update(resource, current);
    }
    validate(resource, body);
    if (resource === 'pods' || resource === 'persistentvolumeclaims') throw new Refusal(422, 'Invalid', 'spec: Forbidden: is immutable after creation');
    const { name: _name, namespace: _namespace, ...metadata } = body.metadata;
    Object.assign(current, { ...body, metadata: { ...current.metadata, ...metadata } });
    return this.store.update(resource, current);
  }

  private list({ resource, namespace, query }: ApiRequest, metadataOnly: boolean): object {
    const token = query.get('continue');
    const page = token === null ? undefined : this.pages.get(token);
    if (token !== null && page === undefined) throw new Refusal(410, 'Expired', 'The provided continue parameter is too old');
    const items = page?.items ?? this.store.all(resource, namespace).filter(matching(query));
    const version = page?.version ?? String(this.store.currentVersion);
    const limit = Number(query.get('limit') ?? 0) || items.length;
    const rest = items.slice(limit);
    const next = rest.length === 0 ? undefined : `page-${this.pages.size + 1}`;
    if (next !== undefined) this.pages.set(next, { items: rest, version });
    return {
      kind: `${KINDS[resource].kind}List`,
      apiVersion: KINDS[resource].apiVersion,
      metadata: { resourceVersion: version, ...(next && { continue: next, remainingItemCount: rest.length }) },
      items: items.slice(0, limit).map((item) => (metadataOnly ? { metadata: item.metadata } : item)),
    };
  }

  /** Pages that were handed out are worth nothing any more. */
  expirePages(): void {
    this.pages.clear();
  }

  private watch({ resource, namespace, query }: ApiRequest, response: ServerResponse): void {
    const matches = matching(query);
    const wants = (change: Change): boolean =>
      change.resource === resource && (namespace === undefined || change.object.metadata.namespace === namespace) && matches(change.object);
    const missed = this.store.since(Number(query.get('resourceVersion') ?? 0));
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders(); // or the client waits for the first event
    const open: OpenWatch = { response, wants, stalled: false };
    for (const change of missed) if (wants(change)) send(response, change.type, change.object);
    this.watches.add(open);
    const timer = setTimeout(() => this.watches.delete(open) && response.end(), Number(query.get('timeoutSeconds') ?? 300) * 1_000);
    response.once('close', () => {
      clearTimeout(timer);
      this.watches.delete(open);
    });
  }

  /** Ends every watch as the server does when history it needs is gone. */
  expireWatches(): void {
    this.store.compact();
    for (const open of this.watches) {
      const { response } = open;
      this.watches.delete(open);
      send(response, 'ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' });
      response.end();
    }
  }

  private log(pod: KubeObject, query: URLSearchParams, response: ServerResponse): void {
    const text = this.logOf(pod);
    if (text === undefined) throw new Refusal(400, 'BadRequest', `container "runtime" in pod "${pod.metadata.name}" is waiting to start`);
    const lines = text.split(/(?<=\n)/).slice(-Number(query.get('tailLines') ?? 1_000));
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.end(lines.join('').slice(0, Number(query.get('limitBytes') ?? 1e9)));
  }
}

function send(response: ServerResponse, type: string, object: object): void {
  response.write(`${JSON.stringify({ type, object })}\n`);
}

function reply(response: ServerResponse, code: number, body: object): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function matching(query: URLSearchParams): (object: KubeObject) => boolean {
  const wanted = (query.get('labelSelector') ?? '').split(',').filter((term) => term !== '');
  return ({ metadata }) =>
    wanted.every((term) => {
      const [key, value] = term.split('=') as [string, string];
      return metadata.labels?.[key] === value;
    });
}

async function parse(request: IncomingMessage): Promise<ApiRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const url = new URL(request.url ?? '/', 'http://stand-in');
  const path = /^\/(?:api\/v1|apis\/networking\.k8s\.io\/v1)(?:\/namespaces\/([^/]+)(?=\/))?\/([^/]+)(?:\/(.+))?$/.exec(url.pathname);
  const resource = path?.[2] as Resource;
  if (path === null || !(resource in KINDS)) throw new Refusal(404, 'NotFound', 'the server could not find the requested resource');
  return {
    method: request.method ?? 'GET',
    resource,
    namespace: path[1],
    name: path[3] && decodeURIComponent(path[3]),
    query: url.searchParams,
    body: Buffer.concat(chunks).toString(),
  };
}
