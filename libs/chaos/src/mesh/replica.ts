import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { existsSync } from 'node:fs';
import { type Life, RotatingLog, startService, Supervised } from '@plexus/local-stack';
import type { TcpProxy } from './tcp-proxy.js';

export interface ReplicaOptions {
  /** For example `push-2`. */
  readonly name: string;
  readonly service: string;
  /** Folder of the checkout whose build is run. */
  readonly root: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logFile: string;
  /** What stands between it and each nats-server. */
  readonly natsLanes: readonly TcpProxy[];
  /** What stands between it and Postgres; undefined for services without a database. */
  readonly databaseLane: TcpProxy | undefined;
  readonly readyTimeoutMs: number;
  readonly onChange: (what: string) => void;
}

const NODE_FLAGS = ['--max-semi-space-size=2', '--max-old-space-size=256'];

/** One process of one service, started again whenever it ends. Its build can be changed between two lives. */
export class Replica {
  readonly name: string;
  readonly service: string;
  root: string;
  private readonly supervised: Supervised;
  private readonly log: RotatingLog;
  /** Lives after the first. */
  restarts = 0;

  constructor(private readonly options: ReplicaOptions) {
    this.name = options.name;
    this.service = options.service;
    this.root = options.root;
    this.log = new RotatingLog(options.logFile);
    this.supervised = new Supervised({
      name: options.name,
      backoff: { baseMs: 250, capMs: 2_000 },
      begin: (abort) => this.begin(abort),
      onChange: (change) => {
        if (change.kind === 'ready' && change.restart) this.restarts += 1;
        options.onChange(change.kind === 'ready' ? `${this.name} is ready` : `${this.name} ${change.reason.split('\n')[0]}`);
      },
    });
  }

  get natsLanes(): readonly TcpProxy[] {
    return this.options.natsLanes;
  }

  get databaseLane(): TcpProxy | undefined {
    return this.options.databaseLane;
  }

  get pid(): number | undefined {
    return this.supervised.current?.identity.pid;
  }

  /** Internal HTTP address of the life that is ready now. */
  get http(): string | undefined {
    return this.supervised.current?.http;
  }

  async start(): Promise<void> {
    await this.supervised.start();
  }

  signal(signal: NodeJS.Signals): void {
    this.supervised.current?.signal(signal);
  }

  /** Kills it without a word and settles when the next life is ready. */
  async kill(timeoutMs: number): Promise<void> {
    const next = this.supervised.nextLife(timeoutMs);
    this.signal('SIGKILL');
    await next;
  }

  /** Stops it in order and settles when the next life is ready. */
  async restart(graceMs: number, timeoutMs: number): Promise<void> {
    await this.supervised.restart(graceMs, timeoutMs);
  }

  /** Settles when a life is ready. */
  async ready(timeoutMs: number): Promise<void> {
    if (this.supervised.current === undefined) await this.supervised.nextLife(timeoutMs);
  }

  async stop(graceMs: number): Promise<void> {
    this.signal('SIGCONT');
    await this.supervised.stop(graceMs);
    this.log.close();
  }

  trimLog(): void {
    this.log.trim();
  }

  private begin(abort: AbortSignal): Promise<Life> {
    const { root } = this;
    const bundled = path.join(root, 'node_modules/.bin/node');
    const telemetry = pathToFileURL(path.join(root, 'libs/telemetry/dist/src/register.js')).href;
    return startService(
      {
        name: this.name,
        node: existsSync(bundled) ? bundled : process.execPath,
        nodeFlags: [...NODE_FLAGS, '--import', telemetry],
        cwd: path.join(root, 'services', this.service),
        script: path.join(root, 'services', this.service, 'dist/src/main.js'),
        env: this.options.env,
        log: this.log,
        readyTimeoutMs: this.options.readyTimeoutMs,
      },
      abort,
    );
  }
}
