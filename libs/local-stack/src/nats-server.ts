import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { environment } from './config.js';
import { freePort } from './free-port.js';
import { type GuardedProcess, startGuarded } from './guarded-process.js';
import { findNatsServer } from './nats-binary.js';
import { type NatsClusterMember, type NatsUser, renderNatsConfig } from './nats-config.js';
import { ReadyLog } from './ready-log.js';
import { StartError } from './start-error.js';

export interface NatsServerOptions {
  /** Holds the generated configuration and the JetStream store. */
  readonly dir: string;
  /** Loopback port; absent or 0: a free one. */
  readonly port?: number;
  /** Who may connect, and what for; absent: anybody on this machine may do anything. */
  readonly users?: readonly NatsUser[];
  /** Makes it one of several; `port` should be given then. */
  readonly cluster?: NatsClusterMember;
  readonly binary?: string;
  readonly onProgress?: (line: string) => void;
  /** Gets the server's log. */
  readonly onLog?: (text: string) => void;
}

export interface NatsServer {
  readonly url: string;
  readonly port: number;
  readonly process: GuardedProcess;
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 60_000;

/**
 * Starts a `nats-server` with JetStream on loopback. Settles when it accepts connections; rejects with {@link StartError}
 * (`NATS_SERVER_MISSING`, `PORT_TAKEN`, `PROCESS_NOT_READY`).
 */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const binary = options.binary ?? (await findNatsServer(options.onProgress === undefined ? {} : { onProgress: options.onProgress }));
  mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port || (await freePort());
    try {
      return await startOn(port, binary, options);
    } catch (error) {
      // A free port may be taken in the instant before the server binds it.
      if (options.port || attempt >= 3 || !(error instanceof StartError) || error.code !== 'PORT_TAKEN') throw error;
    }
  }
}

async function startOn(port: number, binary: string, options: NatsServerOptions): Promise<NatsServer> {
  const configFile = path.join(options.dir, 'nats.conf');
  const storeDir = path.join(options.dir, 'jetstream');
  // The store holds messages, the configuration only public keys; both stay private.
  const { users, cluster } = options;
  writeFileSync(configFile, renderNatsConfig({ port, storeDir, ...(users && { users }), ...(cluster && { cluster }) }), { mode: 0o600 });
  const log = new ReadyLog(options.onLog);
  const server = await startGuarded({
    command: binary,
    args: ['-c', configFile],
    cwd: options.dir,
    env: { PATH: environment().PATH, HOME: options.dir },
    stopSignal: 'SIGTERM',
    onOutput: (text) => log.add(text),
  });
  await log.waitFor('Server is ready', server, READY_TIMEOUT_MS, 'nats-server', port);
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    process: server,
    stop: () => server.stop(),
  };
}
