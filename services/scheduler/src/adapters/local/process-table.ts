import { readdirSync, readFileSync } from 'node:fs';

/** A process that cannot be mistaken for a later one with the same pid, also across reboots. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of `/proc/<pid>/stat`: clock ticks since boot. */
  readonly startTicks: string;
  readonly bootId: string;
}

interface ProcessState extends ProcessIdentity {
  readonly processGroup: number;
}

const TICKS_PER_SECOND = 100;
const NOT_OURS = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'EINVAL']);

let cachedBootId: string | undefined;

function bootId(): string {
  cachedBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  return cachedBootId;
}

/** Reads a file below /proc; undefined when the process has gone or belongs to somebody else. */
function readProc(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (NOT_OURS.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

function stateOf(pid: number): ProcessState | undefined {
  const stat = readProc(`/proc/${pid}/stat`)?.toString('latin1');
  if (stat === undefined) return undefined;
  // The command name stands in parentheses and may hold anything, parentheses too.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return { pid, startTicks: fields[19] ?? '', bootId: bootId(), processGroup: Number(fields[2]) };
}

/** Who has this pid now; undefined when nobody has, or only a zombie. */
export function identify(pid: number): ProcessIdentity | undefined {
  const state = stateOf(pid);
  return state && { pid: state.pid, startTicks: state.startTicks, bootId: state.bootId };
}

/** True while that very process runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  const now = stateOf(identity.pid);
  return now !== undefined && now.startTicks === identity.startTicks && now.bootId === identity.bootId;
}

/** Milliseconds since the process started. */
export function ageOf(identity: ProcessIdentity): number {
  const uptimeSeconds = Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]);
  return Math.max(0, uptimeSeconds * 1_000 - (Number(identity.startTicks) * 1_000) / TICKS_PER_SECOND);
}

/** What a VM process carries in its environment from birth; children inherit it, however far they move away. */
export interface Marker {
  readonly vmId: string;
  readonly epoch: number;
}

/** One process as a scan found it. */
export interface ScannedProcess extends ProcessIdentity {
  readonly processGroup: number;
  /** Present when it carries the marker of the cluster that was looked for. */
  readonly marker: Marker | undefined;
}

/** Every process of this machine that can be seen, except our own. Milliseconds of synchronous work: scans are shared, see {@link ProcessScans}. */
function scan(cluster: string): ScannedProcess[] {
  const found: ScannedProcess[] = [];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const state = stateOf(pid);
    if (state !== undefined) found.push({ ...state, marker: markerOf(pid, cluster) });
  }
  return found;
}

function markerOf(pid: number, cluster: string): Marker | undefined {
  const environ = readProc(`/proc/${pid}/environ`);
  if (environ === undefined || !environ.includes(`PLEXUS_CLUSTER=${cluster}\0`)) return undefined;
  const variables = new Map(environ.toString('utf8').split('\0').map(splitVariable));
  const vmId = variables.get('VM_ID');
  const epoch = Number(variables.get('VM_EPOCH'));
  const isOurs = variables.get('PLEXUS_CLUSTER') === cluster && vmId !== undefined && Number.isSafeInteger(epoch);
  return isOurs ? { vmId, epoch } : undefined;
}

function splitVariable(text: string): [string, string] {
  const at = text.indexOf('=');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

const GATHER_MS = 5;

/** Scans of one cluster, shared by everybody who asks within a few milliseconds: many VMs may be stopped at the same time. */
export class ProcessScans {
  private next: Promise<readonly ScannedProcess[]> | undefined;

  constructor(private readonly cluster: string) {}

  /** What runs at some moment after this call. */
  take(): Promise<readonly ScannedProcess[]> {
    this.next ??= new Promise((resolve, reject) => {
      setTimeout(() => {
        this.next = undefined;
        try {
          resolve(scan(this.cluster));
        } catch (error) {
          reject(error);
        }
      }, GATHER_MS);
    });
    return this.next;
  }
}

/**
 * Members of the process group that this process leads or led. The kernel gives a number to nobody while a group bears it: a living
 * stranger with this pid means that the group is empty.
 */
export function groupOf(leader: ProcessIdentity, processes: readonly ScannedProcess[]): readonly ScannedProcess[] {
  const now = processes.find((process_) => process_.pid === leader.pid);
  if (leader.bootId !== bootId() || (now !== undefined && now.startTicks !== leader.startTicks)) return [];
  return processes.filter((process_) => process_.processGroup === leader.pid);
}

/** Sends a signal to exactly this process. */
export function signal(identity: ProcessIdentity, name: 'SIGTERM' | 'SIGKILL'): void {
  if (!isRunning(identity)) return;
  try {
    process.kill(identity.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
