import { readdirSync, readFileSync } from 'node:fs';
import { findByEnvironment, identify, isRunning, type ProcessIdentity } from '@plexus/local-stack';
import { waitFor } from './wait-for.js';

/** Every process below this one, as of now. Linux only. A process that left its parent for init is not among them: see {@link marked}. */
export function descendants(pid: number): ProcessIdentity[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    const child = Number(entry);
    const parent = Number.isInteger(child) ? parentOf(child) : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), child]);
  }
  const below: ProcessIdentity[] = [];
  const queue = [...(children.get(pid) ?? [])];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const identity = identify(next);
    if (identity !== undefined) below.push(identity);
    queue.push(...(children.get(next) ?? []));
  }
  return below;
}

/** Every process of the mesh with this cluster id that carries its marker: services and VM runtimes, wherever they are in the tree. */
export function marked(clusterId: string): ProcessIdentity[] {
  return findByEnvironment('PLEXUS_CLUSTER', clusterId);
}

/** Waits until none of these processes runs any more; else fails and names the survivors with their command lines. */
export async function expectGone(processes: readonly ProcessIdentity[], timeoutMs = 30_000): Promise<void> {
  try {
    await waitFor(() => !processes.some(isRunning), { timeoutMs, what: 'the processes to end' });
  } catch (cause) {
    const survivors = processes.filter(isRunning).map(({ pid }) => `  ${pid} ${commandLine(pid)}`);
    throw new Error(`left behind:\n${survivors.join('\n')}`, { cause });
  }
}

/** Resident memory of a process in bytes, shared pages counted in full; 0 when it is gone. Linux only. */
export function residentBytes(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) * 1024;
  } catch {
    return 0; // ended
  }
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined; // ended while we looked
  }
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').slice(0, 200);
  } catch {
    return '(gone by now)';
  }
}
