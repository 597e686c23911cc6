import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  type GuardedProcess,
  findNatsServer,
  freePort,
  type Integrator,
  type NatsAccounts,
  repositoryRoot,
  startGuarded,
  writeNatsAccounts,
} from '@plexus/local-stack';
import { type ThrowAwayFolder, throwAwayFolder, waitFor } from '../../src/index.js';
import { ThrowAwayCa } from './throw-away-ca.js';

export interface SecuredNatsOptions {
  readonly servers: number;
  /** Clients must show a certificate too. */
  readonly verifyClients?: boolean;
  readonly integrators?: readonly Integrator[];
}

/** A NATS cluster run from `deploy/nats/nats-server.conf` itself, with accounts as `plexus nats accounts` writes them and a CA of its own. */
export class SecuredNats {
  private processes: (GuardedProcess | undefined)[] = [];

  private constructor(
    readonly folder: ThrowAwayFolder,
    readonly ca: ThrowAwayCa,
    readonly accounts: NatsAccounts,
    private readonly ports: readonly (readonly [client: number, route: number])[],
    private readonly options: SecuredNatsOptions,
  ) {}

  static async start(options: SecuredNatsOptions): Promise<SecuredNats> {
    const folder = throwAwayFolder('secured-nats');
    const ca = new ThrowAwayCa(path.join(folder.path, 'ca'));
    const accounts = writeNatsAccounts(path.join(folder.path, 'accounts'), { integrators: options.integrators ?? [] });
    const ports: [number, number][] = [];
    for (let at = 0; at < options.servers; at += 1) ports.push([await freePort(), await freePort()]);
    const nats = new SecuredNats(folder, ca, accounts, ports, options);
    try {
      await Promise.all(ports.map((_port, at) => nats.startServer(at)));
    } catch (error) {
      await nats.stop();
      throw error;
    }
    return nats;
  }

  get url(): string {
    return this.ports.map(([client]) => `tls://127.0.0.1:${client}`).join(',');
  }

  get plainUrl(): string {
    return `nats://127.0.0.1:${this.ports[0]?.[0]}`;
  }

  get routePort(): number {
    return this.ports[0]?.[1] as number;
  }

  seedFile(name: string): string {
    const found = this.accounts.credentials.find((one) => one.name === name);
    if (found === undefined) throw new Error(`there is no credential ${name}`);
    return found.seedFile;
  }

  /** Accounts as they are now come into force, without a restart. */
  reload(): void {
    this.processes.forEach((server, at) => {
      cpSync(this.accounts.configFile, path.join(this.serverFolder(at), 'accounts.conf'));
      server?.signal('SIGHUP');
    });
  }

  /** One server goes without a word, and does not come back. */
  async lose(at: number): Promise<void> {
    const server = this.processes[at];
    server?.signal('SIGKILL');
    await server?.ended;
    this.processes[at] = undefined;
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((server) => server?.stop()));
    this.folder.remove();
  }

  private serverFolder(at: number): string {
    return path.join(this.folder.path, `server-${at}`);
  }

  private async startServer(at: number): Promise<void> {
    const dir = this.serverFolder(at);
    mkdirSync(path.join(dir, 'tls'), { recursive: true });
    const config = readFileSync(path.join(repositoryRoot(), 'deploy/nats/nats-server.conf'), 'utf8');
    // A cluster of one would wait for a second server.
    writeFileSync(path.join(dir, 'nats-server.conf'), this.options.servers === 1 ? config.replace(/^cluster \{[\s\S]*?^\}\n/m, '') : config);
    cpSync(this.accounts.configFile, path.join(dir, 'accounts.conf'));
    cpSync(this.ca.certFile, path.join(dir, 'tls/ca.crt'));
    for (const use of ['client', 'route']) {
      const { certFile, keyFile } = this.ca.issue(`${use}-${at}`);
      cpSync(certFile, path.join(dir, `tls/${use}.crt`));
      cpSync(keyFile, path.join(dir, `tls/${use}.key`));
    }
    const [client, route] = this.ports[at] as readonly [number, number];
    let output = '';
    const server = await startGuarded({
      command: await findNatsServer(),
      args: ['-c', 'nats-server.conf'],
      cwd: dir,
      env: {
        PATH: process.env.PATH,
        HOME: dir,
        NATS_NAME: `nats-${at}`,
        NATS_HOST: '127.0.0.1',
        NATS_PORT: String(client),
        NATS_ROUTE_PORT: String(route),
        NATS_ROUTES: JSON.stringify(this.ports.filter((_ports, other) => other !== at).map(([, other]) => `tls://127.0.0.1:${other}`)),
        NATS_VERIFY_CLIENTS: String(this.options.verifyClients ?? false),
        NATS_STORE: 'jetstream',
        NATS_MAX_STORE: '64GB',
      },
      stopSignal: 'SIGTERM',
      onOutput: (text) => {
        output = (output + text).slice(-20_000);
      },
    });
    this.processes[at] = server;
    let ended = false;
    void server.ended.then(() => {
      ended = true;
    });
    await waitFor(() => ended || output.includes('Server is ready'), { what: 'nats-server' });
    if (ended) throw new Error(`nats-server did not start:\n${output}`);
  }
}
