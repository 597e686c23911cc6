import { existsSync } from 'node:fs';
import path from 'node:path';
import { type Environment, environment } from './config.js';
import { tryLock } from '@plexus/kernel/file-lock';
import { readMeshRecord } from './mesh-record.js';
import { startNatsServer } from './nats-server.js';
import { rememberedPort } from './ports.js';
import { postgresFolder } from './postgres-folder.js';
import { startPostgres } from './postgres-server.js';
import { createMeshDatabase, DATABASE_NAME } from './prepare-database.js';
import { readPrivate } from './private-file.js';
import { StartError } from './start-error.js';
import { OPERATOR_ROLE, prepareState } from './state.js';
import { statePaths } from './state-paths.js';

/** Where the data of an embedded mesh can be read and written, while it runs or while only its servers do. */
export interface EmbeddedData {
  readonly nats: string;
  /** nkey seed of the operator. */
  readonly seedFile: string;
  readonly databaseUrl: string;
  /** PGlite's folder; undefined: there is none yet. */
  readonly memoryDir: string | undefined;
  /** The process that has the folder open, if one does. */
  readonly memoryPid: number | undefined;
  /** True when a mesh works on the data now. */
  readonly isRunning: boolean;
  /** Stops what was started for this and gives the state folder back. */
  close(): Promise<void>;
}

/**
 * Opens the data of a state folder: of the mesh that runs on it, else by starting its nats-server and its Postgres alone, under the lock of the folder, so that
 * no mesh starts meanwhile. Rejects with {@link StartError}: `ALREADY_RUNNING` while one is just starting or stopping.
 */
export async function openEmbeddedData(stateDir: string, env: Environment = environment()): Promise<EmbeddedData> {
  const paths = statePaths(stateDir);
  const memoryDir = existsSync(path.join(paths.memory, 'PG_VERSION')) ? paths.memory : undefined;
  const common = { seedFile: paths.nkeySeed(OPERATOR_ROLE), memoryDir };
  const record = readMeshRecord(stateDir);
  if (record !== undefined) {
    const password = readPrivate(path.join(postgresFolder(paths), 'password'));
    const databaseUrl = `postgresql://postgres:${password}@127.0.0.1:${rememberedPort(paths.ports, 'postgres')}/${DATABASE_NAME}`;
    return { ...common, nats: record.nats, databaseUrl, memoryPid: record.services.memory?.pid, isRunning: true, close: async () => undefined };
  }
  const attempt = tryLock(paths.lock);
  if ('holder' in attempt) {
    throw new StartError('ALREADY_RUNNING', `A mesh is starting or stopping on ${paths.root} (pid ${attempt.holder.process.pid}).`, 'Try again in a moment.');
  }
  const closing: (() => Promise<void>)[] = [async () => attempt.held.release()];
  const close = async (): Promise<void> => {
    for (let next = closing.pop(); next !== undefined; next = closing.pop()) await next();
  };
  try {
    const state = await prepareState(paths.root, env);
    const nats = await startNatsServer({ dir: paths.nats, users: state.natsUsers });
    closing.push(() => nats.stop());
    const postgres = await startPostgres({ dir: postgresFolder(paths) });
    closing.push(() => postgres.stop());
    await createMeshDatabase(postgres.url());
    return { ...common, nats: nats.url, databaseUrl: postgres.url(DATABASE_NAME), memoryPid: undefined, isRunning: false, close };
  } catch (error) {
    await close();
    throw error;
  }
}
