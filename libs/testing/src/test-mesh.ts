// Loaded before a mesh starts: Jest's module loader fails when two dynamic imports link the same package at the same time.
import '@plexus/bus';
import '@plexus/database';
import path from 'node:path';
import {
  CHANNEL_PROCESSES,
  type Mesh,
  type MeshProcess,
  type Progress,
  type ServiceName,
  signalProcess,
  startMesh,
  statePaths,
  waitUntilGone,
} from '@plexus/local-stack';
import { marked } from './process-tree.js';
import { seedPglite } from './seed-pglite.js';
import { throwAwayFolder } from './throw-away-folder.js';

export interface TestMeshOptions {
  /** Added to the environment of every process, for example `PLEXUS_MODEL_BASE_URL`. */
  readonly env?: Readonly<Record<string, string>>;
  readonly only?: readonly ServiceName[];
  readonly progress?: Progress;
  /** A state folder that is there already; whoever made it removes it. Default: a new one. */
  readonly stateDir?: string;
}

export interface TestMesh {
  readonly stateDir: string;
  readonly gateway: { readonly ws: string; readonly http: string };
  readonly nats: string;
  readonly databaseUrl: string;
  /** Token of the embedded user `me` of tenant `default`. */
  readonly token: string;
  /** Marks every process of this mesh. */
  readonly clusterId: string;
  /** Services that run now, with their internal HTTP address. */
  services(): Readonly<Record<string, { readonly pid: number; readonly http: string }>>;
  /** Pids of services and embedded servers. */
  pids(): Readonly<Partial<Record<MeshProcess, number>>>;
  /** Kills a service, `nats`, `postgres`, or with `runtime` every VM's runtime, and waits until it is gone. Somebody starts it again. */
  kill(name: MeshProcess | 'runtime' | (string & {}), signal?: NodeJS.Signals): Promise<void>;
  /** Every supervised process is ready. */
  whole(timeoutMs?: number): Promise<void>;
  /** Stops everything in order and starts it again on the same state and gateway port. */
  restartAll(): Promise<void>;
  stop(): Promise<void>;
}

const SUPERVISED: readonly string[] = ['gateway', 'routing', 'push', 'memory', 'scheduler', 'nats', 'postgres', ...CHANNEL_PROCESSES];
/** Settings of the person at the keyboard must not change what a test sees. */
const OWN_SETTINGS = /^(PLEXUS_|NATS_|DATABASE_URL|MEMORY_DATABASE_URL|OTEL_)/;

/** The whole mesh from the built services, on free ports with a state folder of its own. All of it is gone when this process ends. */
export async function startTestMesh(options: TestMeshOptions = {}): Promise<TestMesh> {
  const folder = throwAwayFolder('mesh');
  const stateDir = options.stateDir ?? path.join(folder.path, 'state');
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !OWN_SETTINGS.test(name)));
  const start = (gatewayPort: number): Promise<Mesh> =>
    startMesh({
      stateDir,
      gatewayPort,
      env: { ...inherited, NODE_ENV: 'development', ...options.env },
      ...(options.only === undefined ? {} : { only: options.only }),
      ...(options.progress === undefined ? {} : { progress: options.progress }),
    });
  let mesh: Mesh;
  try {
    if (options.stateDir === undefined && options.only?.includes('memory') !== false && options.env?.MEMORY_DATABASE_URL === undefined)
      await seedPglite(statePaths(stateDir).memory);
    mesh = await start(0);
  } catch (error) {
    folder.remove();
    throw error;
  }
  return {
    stateDir,
    gateway: mesh.gateway,
    get nats() {
      return mesh.nats;
    },
    get databaseUrl() {
      return mesh.databaseUrl;
    },
    token: mesh.token,
    clusterId: mesh.clusterId,
    services: () => mesh.services as Record<string, { pid: number; http: string }>,
    pids: () => mesh.pids,
    kill: async (name, signal = 'SIGKILL') => {
      if (name === 'runtime') return killRuntimes(mesh, signal);
      if (!SUPERVISED.includes(name)) throw new Error(`nothing in a mesh is called ${name}`);
      await mesh.kill(name as MeshProcess, signal);
    },
    whole: (timeoutMs = 60_000) => mesh.whole(timeoutMs),
    restartAll: async () => {
      await mesh.stop();
      mesh = await start(Number(new URL(mesh.gateway.http).port));
    },
    stop: async () => {
      await mesh.stop();
      folder.remove();
    },
  };
}

async function killRuntimes(mesh: Mesh, signal: NodeJS.Signals): Promise<void> {
  const services = Object.values(mesh.services).map(({ pid }) => pid);
  const runtimes = marked(mesh.clusterId).filter(({ pid }) => !services.includes(pid));
  if (runtimes.length === 0) throw new Error('no VM is running');
  for (const runtime of runtimes) signalProcess(runtime, signal);
  await Promise.all(runtimes.map((runtime) => waitUntilGone(runtime, 5_000)));
}
