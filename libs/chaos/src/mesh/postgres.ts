import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createMeshDatabase, DATABASE_NAME, type PostgresBinaries, type PostgresServer, repositoryRoot, startPostgres } from '@plexus/local-stack';

/** How Postgres is ended: `fast` closes sessions and writes a checkpoint, `immediate` leaves crash recovery to the next start, `kill` asks nobody. */
export type PostgresEnd = 'fast' | 'immediate' | 'kill';
const SIGNALS = { fast: 'SIGINT', immediate: 'SIGQUIT', kill: 'SIGKILL' } as const;
const MAX_CONNECTIONS = 200;

/** One real Postgres that can be restarted on its data and port. */
export class ChaosPostgres {
  private constructor(
    private readonly dir: string,
    private server: PostgresServer,
    /** With pgvector memory can have several replicas; without it keeps its vectors inside its one process. */
    readonly hasVectors: boolean,
    private readonly onLog: (text: string) => void,
  ) {}

  static async start(dir: string, onLog: (text: string) => void): Promise<ChaosPostgres> {
    const binaries = pgvector();
    const server = await startPostgres({ dir, onLog, maxConnections: MAX_CONNECTIONS, ...(binaries && { binaries }) });
    await createMeshDatabase(server.url());
    return new ChaosPostgres(dir, server, binaries !== undefined, onLog);
  }

  get port(): number {
    return this.server.port;
  }

  get pid(): number {
    return this.server.process.identity.pid;
  }

  /** URL of the mesh's database, by itself or through a proxy on another port. */
  url(port = this.port): string {
    const url = new URL(this.server.url(DATABASE_NAME));
    url.port = String(port);
    return url.href;
  }

  /** Ends it and starts it again; settles when it takes connections. */
  async restart(end: PostgresEnd): Promise<void> {
    this.server.process.signal(SIGNALS[end]);
    await this.server.process.ended;
    const binaries = pgvector();
    this.server = await startPostgres({
      dir: this.dir,
      port: this.port,
      onLog: this.onLog,
      maxConnections: MAX_CONNECTIONS,
      ...(binaries && { binaries }),
    });
  }

  stop(): Promise<void> {
    return this.server.stop();
  }
}

/** The Postgres with pgvector that `tools/setup-pgvector.mjs` fetched; undefined where it could not. */
function pgvector(): PostgresBinaries | undefined {
  const record = path.join(repositoryRoot(), 'cache/pgvector.json');
  if (!existsSync(record)) return undefined;
  const { name, bin } = JSON.parse(readFileSync(record, 'utf8')) as { name: string; bin: string };
  const postgres = path.join(bin, 'postgres');
  return existsSync(postgres) ? { postgres, initdb: path.join(bin, 'initdb'), origin: name } : undefined;
}
