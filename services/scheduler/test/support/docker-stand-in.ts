import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import path from 'node:path';
import type { Duplex } from 'node:stream';

interface CreateBody {
  readonly Image: string;
  readonly Env: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly OpenStdin: boolean;
  readonly HostConfig: { readonly Mounts: readonly { readonly Source: string; readonly Target: string }[] };
}

export interface StandInContainer {
  readonly id: string;
  readonly name: string;
  readonly created: number;
  /** Of which host it is. */
  readonly disk: number;
  readonly body: CreateBody;
  status: 'created' | 'running' | 'exited';
  exitCode: number;
  finishedAt: number;
  process: ChildProcess | undefined;
  readonly log: Buffer[];
}

/** Who asks for what: method and path with the version cut off. */
type Handler = (request: { path: string; query: URLSearchParams; body: unknown; response: ServerResponse }) => unknown;

/**
 * The part of the Docker Engine API that the provider uses, on a unix socket. A container is a process of this machine, started from its image (a script), with the
 * container's environment and stdin; its volume is a folder. It refuses what the engine refuses: a taken name, a running container, an unknown image.
 */
export class DockerStandIn {
  readonly containers = new Map<string, StandInContainer>();
  readonly volumes = new Map<string, { readonly labels: Record<string, string>; readonly createdAt: number }>();
  /** Requests in order: method and path. */
  readonly requests: string[] = [];
  /** Requests in an older version are refused, as engines do. */
  oldestVersion = '1.24';
  private readonly server: Server;
  private tcp: TcpServer | undefined;
  private readonly listeners = new Set<ServerResponse>();
  private readonly attached = new Map<string, Duplex>();
  /** Containers of a host that was lost: they run on, and nobody can reach them. */
  private readonly lost: StandInContainer[] = [];
  private disk = 0;

  private constructor(
    private readonly folder: string,
    private readonly images: Readonly<Record<string, string>>,
  ) {
    this.server = createServer((request, response) => void this.answer(request, response));
    this.server.on('upgrade', (request, socket) => this.attach(request, socket));
  }

  /** `images`: name → script that Node runs. */
  static async start(folder: string, images: Readonly<Record<string, string>>): Promise<DockerStandIn> {
    const standIn = new DockerStandIn(folder, images);
    await new Promise<void>((resolve) => standIn.server.listen(standIn.socket, resolve));
    return standIn;
  }

  get socket(): string {
    return path.join(this.folder, 'docker.sock');
  }

  volumeFolder(name: string): string {
    return path.join(this.folder, `volumes-${this.disk}`, name);
  }

  /**
   * From now on the host of all present containers is lost: whoever stops, kills or removes one hears that it is gone, and it runs on, on a disk that later
   * containers do not see.
   */
  loseHost(): void {
    this.disk += 1;
  }

  /** Cuts every event stream, as a restarted engine would. */
  dropEvents(): void {
    for (const listener of this.listeners) listener.destroy();
  }

  /** The same over TCP; the address as `DOCKER_ENGINE` wants it. */
  async listenTcp(): Promise<string> {
    this.tcp ??= createTcpServer((socket) => this.server.emit('connection', socket));
    await new Promise<void>((resolve) => this.tcp?.listen(0, '127.0.0.1', resolve));
    return `tcp://127.0.0.1:${(this.tcp.address() as AddressInfo).port}`;
  }

  get eventStreams(): number {
    return this.listeners.size;
  }

  async stop(): Promise<void> {
    for (const { process: child } of [...this.lost, ...this.containers.values()]) child?.kill('SIGKILL');
    this.dropEvents();
    this.server.closeAllConnections();
    this.tcp?.close();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const url = new URL(request.url ?? '', 'http://docker');
    const place = url.pathname.replace(/^\/v[0-9.]+/, '');
    this.requests.push(`${request.method} ${place}`);
    const version = /^\/v1\.([0-9]+)\//.exec(url.pathname)?.[1];
    const isTooOld = version !== undefined && Number(version) < Number(this.oldestVersion.split('.')[1]);
    const body: unknown = chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString());
    const handler = this.handlers[`${request.method} ${place.replace(/\/(containers|volumes)\/(?!create$|json$)[^/]+/, '/$1/:id')}`];
    try {
      if (isTooOld) throw new Refusal(400, `client version 1.${version} is too old. Minimum supported API version is ${this.oldestVersion}`);
      if (handler === undefined) throw new Refusal(404, `page not found: ${place}`);
      const result = await handler({ path: place, query: url.searchParams, body, response });
      if (response.headersSent) return;
      if (result === undefined) response.writeHead(204).end();
      else if (Buffer.isBuffer(result)) response.writeHead(200, { 'content-type': 'application/vnd.docker.raw-stream' }).end(result);
      else response.writeHead(place.endsWith('/create') ? 201 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(result));
    } catch (error) {
      const status = error instanceof Refusal ? error.status : 500;
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ message: (error as Error).message }));
    }
  }

  private readonly handlers: Readonly<Record<string, Handler>> = {
    'HEAD /_ping': ping,
    'GET /_ping': ping,
    'GET /version': () => ({ ApiVersion: '1.47', MinAPIVersion: this.oldestVersion }),
    'GET /info': () => ({ ID: 'stand-in' }),
    'GET /events': ({ response }) => {
      this.listeners.add(response);
      response.on('close', () => this.listeners.delete(response));
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
    },
    'GET /containers/json': ({ query }) => this.labelled([...this.containers.values()], query, ({ body }) => body.Labels).map(listed),
    'POST /containers/create': ({ query, body }) => this.create(query.get('name') ?? '', body as CreateBody),
    'GET /containers/:id/json': ({ path: place }) => inspected(this.find(place)),
    'POST /containers/:id/start': ({ path: place }) => this.run(this.find(place)),
    'POST /containers/:id/stop': async ({ path: place, query }) => this.end(this.find(place), Number(query.get('t') ?? 10) * 1_000),
    'POST /containers/:id/kill': ({ path: place }) => {
      const container = this.find(place);
      if (container.status !== 'running') throw new Refusal(409, `Container ${container.id} is not running`);
      void this.end(container, 0);
    },
    'POST /containers/:id/wait': async ({ path: place }) => {
      const container = this.find(place);
      if (container.status === 'running') await new Promise((resolve) => container.process?.once('close', resolve));
      return { StatusCode: container.exitCode };
    },
    'GET /containers/:id/logs': ({ path: place }) => Buffer.concat(this.find(place).log),
    'DELETE /containers/:id': async ({ path: place, query }) => {
      const container = this.find(place);
      if (container.status === 'running' && query.get('force') !== 'true')
        throw new Refusal(409, 'You cannot remove a running container. Stop the container before attempting removal');
      await this.end(container, 0);
      this.containers.delete(container.id);
      this.emit(container, 'destroy');
    },
    'POST /volumes/create': ({ body }) => {
      const { Name, Labels } = body as { Name: string; Labels: Record<string, string> };
      if (!this.volumes.has(Name)) this.volumes.set(Name, { labels: Labels, createdAt: Date.now() });
      mkdirSync(this.volumeFolder(Name), { recursive: true });
      return { Name };
    },
    'GET /volumes': ({ query }) => ({
      Volumes: this.labelled([...this.volumes], query, ([, { labels }]) => labels).map(([Name, { labels, createdAt }]) => ({
        Name,
        Labels: labels,
        CreatedAt: new Date(createdAt).toISOString(),
      })),
    }),
    'DELETE /volumes/:id': ({ path: place }) => {
      const name = place.split('/')[2] ?? '';
      if (!this.volumes.delete(name)) throw new Refusal(404, `get ${name}: no such volume`);
      rmSync(this.volumeFolder(name), { recursive: true });
    },
  };

  private create(name: string, body: CreateBody): { Id: string } {
    if (this.images[body.Image] === undefined) throw new Refusal(404, `No such image: ${body.Image}`);
    const taken = [...this.containers.values()].find((container) => container.name === name);
    if (taken !== undefined) throw new Refusal(409, `Conflict. The container name "/${name}" is already in use by container "${taken.id}".`);
    const id = randomBytes(32).toString('hex');
    this.containers.set(id, {
      id,
      name,
      body,
      created: Date.now(),
      disk: this.disk,
      status: 'created',
      exitCode: 0,
      finishedAt: 0,
      process: undefined,
      log: [],
    });
    return { Id: id };
  }

  private run(container: StandInContainer): void {
    const { Mounts } = container.body.HostConfig;
    const environment = Object.fromEntries(container.body.Env.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]));
    const [workspace] = Mounts.map(({ Source }) => this.volumeFolder(Source));
    const child = spawn(process.execPath, [this.images[container.body.Image] ?? ''], {
      cwd: workspace,
      env: { ...environment, PLEXUS_WORKDIR: workspace },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    container.process = child;
    container.status = 'running';
    child.stdin?.on('error', () => undefined);
    const socket = this.attached.get(container.id);
    if (socket !== undefined && child.stdin) {
      socket.pipe(child.stdin);
      socket.on('end', () => socket.end());
    }
    for (const [stream, output] of [child.stdout, child.stderr].entries()) {
      output?.on('data', (chunk: Buffer) => {
        const header = Buffer.alloc(8);
        header[0] = stream + 1;
        header.writeUInt32BE(chunk.length, 4);
        container.log.push(header, chunk);
      });
    }
    // Not with `exit`: an engine that says that a container is over has all of its output.
    child.once('close', (code, signal) => {
      container.status = 'exited';
      container.exitCode = code ?? (signal === 'SIGKILL' ? 137 : 143);
      container.finishedAt = Date.now();
      this.attached.get(container.id)?.destroy();
      this.emit(container, 'die');
    });
    this.emit(container, 'start');
  }

  private async end(container: StandInContainer, graceMs: number): Promise<void> {
    if (container.disk < this.disk) {
      this.containers.delete(container.id);
      this.lost.push(container);
      return;
    }
    const { process: child, status } = container;
    if (child === undefined || status !== 'running') return;
    const exited = new Promise((resolve) => child.once('close', resolve));
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
    if (graceMs > 0) child.kill('SIGTERM');
    await exited;
    clearTimeout(timer);
  }

  private attach(request: IncomingMessage, socket: Duplex): void {
    const place = new URL(request.url ?? '', 'http://docker').pathname.replace(/^\/v[0-9.]+/, '');
    this.requests.push(`${request.method} ${place}`);
    const container = this.find(place);
    socket.on('error', () => undefined);
    socket.write('HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
    this.attached.set(container.id, socket);
  }

  private emit({ body, id }: StandInContainer, action: string): void {
    const event = JSON.stringify({ Type: 'container', Action: action, Actor: { ID: id, Attributes: body.Labels } });
    for (const listener of this.listeners) listener.write(`${event}\n`);
  }

  private find(place: string): StandInContainer {
    const key = place.split('/')[2] ?? '';
    const found = this.containers.get(key) ?? [...this.containers.values()].find(({ name }) => name === key);
    if (found === undefined) throw new Refusal(404, `No such container: ${key}`);
    return found;
  }

  private labelled<T>(all: readonly T[], query: URLSearchParams, labelsOf: (item: T) => Readonly<Record<string, string>>): T[] {
    const { label = [] } = JSON.parse(query.get('filters') ?? '{}') as { label?: string[] | Record<string, boolean> };
    // Engines take both: a list, and a map as the docker command sends it.
    const wantedLabels = Array.isArray(label) ? label : Object.keys(label);
    return all.filter((item) => wantedLabels.every((wanted) => labelsOf(item)[wanted.slice(0, wanted.indexOf('='))] === wanted.slice(wanted.indexOf('=') + 1)));
  }
}

/** How clients find out which version to speak. */
function ping({ response }: Parameters<Handler>[0]): void {
  response.writeHead(200, { 'api-version': '1.47', ostype: 'linux' }).end();
}

class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

function listed({ id, name, created, status, body }: StandInContainer): unknown {
  return { Id: id, Names: [`/${name}`], Created: Math.floor(created / 1_000), State: status, Labels: body.Labels };
}

function inspected({ id, created, status, exitCode, finishedAt, body }: StandInContainer): unknown {
  return {
    Id: id,
    Created: new Date(created).toISOString(),
    Config: { Labels: body.Labels, Env: body.Env },
    State: { Status: status, ExitCode: exitCode, OOMKilled: false, FinishedAt: new Date(finishedAt).toISOString() },
  };
}
