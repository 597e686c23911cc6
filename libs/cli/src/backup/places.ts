import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Bus, type BusTls, connectBus } from '@plexus/bus';
import { createDatabase, type Database } from '@plexus/database';
import { openPglite } from '@plexus/database/pglite';
import { DATABASE_SERVICES, openEmbeddedData, withoutPassword } from '@plexus/local-stack';
import { CommandFailure, EXIT } from '../exit-code.js';
import { credentialsOf, type MeshOptions } from '../mesh.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A database as a backup sees it. */
export interface DatabasePlace {
  readonly name: 'plexus' | 'memory';
  readonly schemas: readonly string[];
  readonly engine: 'postgres' | 'pglite';
  /** Tables that are made again from the others. */
  readonly derived?: RegExp;
  /** For reading: of PGlite a copy, because one process at a time may open its folder. */
  openToRead(): Promise<Database>;
  openToWrite(): Promise<Database>;
}

/** NATS and the databases of one mesh: of the state folder, or those that the environment names. */
export interface Places {
  readonly bus: Bus;
  readonly databases: readonly DatabasePlace[];
  /** True for a state folder without a running mesh, whose servers were started for this. */
  readonly isAlone: boolean;
  close(): Promise<void>;
}

/** Reading a whole table takes longer than a service may wait. */
const STATEMENT_TIMEOUT_MS = 6 * 3_600_000;
const ignore = (): void => undefined;
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/**
 * Where the data is: `NATS_URL` (`--nats`), `DATABASE_URL` and `MEMORY_DATABASE_URL` when they are set, else the state folder. Database URLs hold passwords, so
 * they come from the environment alone.
 */
export async function openPlaces(options: MeshOptions, environment: Environment): Promise<Places> {
  const external = options.nats !== undefined;
  if (external !== Boolean(environment.DATABASE_URL)) {
    throw new CommandFailure(
      external ? 'NATS is named, and no database.' : 'A database is named, and no NATS.',
      EXIT.usage,
      'Set NATS_URL and DATABASE_URL (and MEMORY_DATABASE_URL), or neither: then the state folder is meant.',
      'USAGE',
    );
  }
  const closing: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (let next = closing.pop(); next !== undefined; next = closing.pop()) await next();
  };
  try {
    if (external) {
      const bus = await connect(options.nats as string, options.seedFile, options.natsTls);
      closing.push(() => bus.close());
      const memory = environment.MEMORY_DATABASE_URL;
      return {
        bus,
        databases: [shared(environment.DATABASE_URL as string), ...(memory ? [memoryAt(memory)] : [])],
        isAlone: false,
        close,
      };
    }
    const data = await openEmbeddedData(options.state);
    closing.push(() => data.close());
    // A mesh that runs may work on a NATS of its owner's, and is reached as every other command reaches it. What was started for this speaks over loopback.
    const bus = data.isRunning ? await connect(data.nats, options.seedFile ?? data.seedFile, options.natsTls) : await connect(data.nats, data.seedFile);
    closing.push(() => bus.close());
    const memory = environment.MEMORY_DATABASE_URL;
    const folder = path.join(options.state, 'memory');
    return {
      bus,
      databases: [shared(data.databaseUrl), memory ? memoryAt(memory) : embeddedMemory(folder, data.memoryDir !== undefined, data.memoryPid)],
      isAlone: !data.isRunning,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function connect(servers: string, seedFile: string | undefined, tls?: BusTls): Promise<Bus> {
  try {
    const credentials = seedFile === undefined ? undefined : credentialsOf(readFileSync(seedFile, 'utf8'));
    return await connectBus({ service: 'cli', servers, credentials, connectTimeoutMs: 10_000, log: silent, tls });
  } catch (cause) {
    throw new CommandFailure(`NATS at ${withoutPassword(servers)} cannot be reached: ${(cause as Error).message}`, EXIT.unreachable, undefined, 'UNREACHABLE');
  }
}

function postgres(url: string, schema: string): Promise<Database> {
  return createDatabase(url, { schema, applicationName: 'plexus-backup', max: 2, statementTimeoutMs: STATEMENT_TIMEOUT_MS });
}

/** Vectors: one table for each model that is or was in use, filled again by the memory service. */
const VECTORS = /^mvec_/;

function shared(url: string): DatabasePlace {
  const open = (): Promise<Database> => postgres(url, 'public');
  return { name: 'plexus', schemas: DATABASE_SERVICES, engine: 'postgres', openToRead: open, openToWrite: open };
}

function memoryAt(url: string): DatabasePlace {
  const open = (): Promise<Database> => postgres(url, 'memory');
  return { name: 'memory', schemas: ['memory'], engine: 'postgres', derived: VECTORS, openToRead: open, openToWrite: open };
}

function embeddedMemory(folder: string, exists: boolean, pid: number | undefined): DatabasePlace {
  return {
    name: 'memory',
    schemas: ['memory'],
    engine: 'pglite',
    derived: VECTORS,
    openToRead: () => (exists ? openCopy(folder, pid) : openPglite('memory://', { schema: 'memory' })),
    openToWrite: () => openPglite(folder, { schema: 'memory' }),
  };
}

/**
 * The files as they are at one moment: what a killed process would leave, which Postgres recovers from. The owner is held for the time of the copy, so that
 * no file is newer than another.
 */
async function openCopy(folder: string, pid: number | undefined): Promise<Database> {
  const copy = mkdtempSync(path.join(tmpdir(), 'plexus-memory-'));
  const target = path.join(copy, 'memory');
  try {
    if (pid === undefined) cpSync(folder, target, { recursive: true });
    else whileStopped(pid, () => cpSync(folder, target, { recursive: true }));
    const database = await openPglite(target, { schema: 'memory' });
    const close = database.close.bind(database);
    database.close = () => close().finally(() => rmSync(copy, { recursive: true, force: true }));
    return database;
  } catch (error) {
    rmSync(copy, { recursive: true, force: true });
    throw error;
  }
}

/** Holds a process while `work` runs. Whoever interrupts this one meanwhile must not leave the other stopped for ever: the signal takes effect after it. */
function whileStopped(pid: number, work: () => void): void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const interrupted = (): void => process.exit(EXIT.failed);
  for (const signal of signals) process.on(signal, interrupted);
  try {
    process.kill(pid, 'SIGSTOP');
    work();
  } finally {
    process.kill(pid, 'SIGCONT');
    setImmediate(() => {
      for (const signal of signals) process.off(signal, interrupted);
    });
  }
}
