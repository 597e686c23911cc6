import { type NatsServer, type NatsUser, startNatsServer } from '@plexus/local-stack';
import { throwAwayFolder } from './throw-away-folder.js';

export interface TestNats {
  readonly url: string;
  readonly port: number;
  /** Pid of the nats-server. */
  readonly pid: number;
  /** Ends the server as `signal` does (default SIGKILL) and waits until it is gone; the store stays. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port and store, after {@link kill}. */
  restart(): Promise<void>;
  /** Stops it and removes its store. */
  stop(): Promise<void>;
}

/**
 * A real nats-server with JetStream on a free loopback port. It and its store are gone when the test process ends, however it ends.
 * Without `users` anybody may do anything; with them only those, with their permissions.
 */
export async function startTestNats(options: { readonly users?: readonly NatsUser[]; readonly onLog?: (text: string) => void } = {}): Promise<TestNats> {
  const folder = throwAwayFolder('nats');
  const start = (port?: number): Promise<NatsServer> => startNatsServer({ dir: folder.path, ...options, ...(port === undefined ? {} : { port }) });
  let server = await start();
  server.process.unref();
  return {
    url: server.url,
    port: server.port,
    get pid() {
      return server.process.identity.pid;
    },
    kill: async (signal = 'SIGKILL') => {
      server.process.signal(signal);
      await server.process.ended;
    },
    restart: async () => {
      await server.process.ended;
      server = await start(server.port);
      server.process.unref();
    },
    stop: async () => {
      await server.stop();
      folder.remove();
    },
  };
}
