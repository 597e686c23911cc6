import { readPrivate, writePrivate } from './private-file.js';
import { endProcess, findByEnvironment, isRunning, type ProcessIdentity } from './process-identity.js';

/** Environment variable that marks every process of a mesh, VM runtimes included. Its value is the cluster id of the state folder. */
export const CLUSTER_MARKER = 'PLEXUS_CLUSTER';

/** Remembers which processes a mesh consists of, so that the next start finds those that a killed launcher left behind. */
export class ProcessRecord {
  private readonly processes = new Map<string, ProcessIdentity>();

  constructor(private readonly file: string) {}

  set(name: string, identity: ProcessIdentity): void {
    this.processes.set(name, identity);
    writePrivate(this.file, JSON.stringify(Object.fromEntries(this.processes)));
  }

  clear(): void {
    this.processes.clear();
    writePrivate(this.file, '{}');
  }

  /** Recorded processes of an earlier launcher that still run, by name. */
  static stillRunning(file: string): ReadonlyMap<string, ProcessIdentity> {
    const recorded = new Map<string, ProcessIdentity>();
    const text = readPrivate(file);
    if (text === undefined) return recorded;
    try {
      for (const [name, identity] of Object.entries(JSON.parse(text) as Record<string, ProcessIdentity>)) {
        if (isRunning(identity)) recorded.set(name, identity);
      }
    } catch {
      // cut short or foreign: the marker scan finds the rest
    }
    return recorded;
  }
}

/**
 * Stops what an earlier launcher left behind: services first (their group), then whatever carries the cluster's marker (VM runtimes and
 * their children), Postgres and nats-server last. Returns a name for each process it stopped.
 */
export async function stopLeftovers(processesFile: string, clusterId: string): Promise<string[]> {
  const recorded = ProcessRecord.stillRunning(processesFile);
  const servers = ['postgres', 'nats'];
  const services = [...recorded].filter(([name]) => !servers.includes(name));
  await Promise.all(services.map(([, identity]) => endProcess(identity, { group: true, graceMs: 3_000 })));
  const strays = await stopMarked(clusterId, 2_000);
  await Promise.all(
    [...recorded]
      .filter(([name]) => servers.includes(name))
      .map(([name, identity]) => endProcess(identity, { signal: name === 'postgres' ? 'SIGINT' : 'SIGTERM', graceMs: 4_000 })),
  );
  return [...recorded.keys(), ...(strays > 0 ? [`${strays} other process${strays === 1 ? '' : 'es'}`] : [])];
}

/** Stops every process that carries the cluster's marker: SIGTERM, `graceMs`, SIGKILL. Returns how many there were. */
export async function stopMarked(clusterId: string, graceMs: number): Promise<number> {
  const strays = findByEnvironment(CLUSTER_MARKER, clusterId);
  await Promise.all(strays.map((identity) => endProcess(identity, { graceMs })));
  // A runtime that was being started while we looked carries the marker as well.
  const late = findByEnvironment(CLUSTER_MARKER, clusterId);
  await Promise.all(late.map((identity) => endProcess(identity, { signal: 'SIGKILL', graceMs: 500 })));
  return strays.length + late.length;
}
