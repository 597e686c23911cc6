import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '@plexus/bus';
import { endProcess } from '@plexus/local-stack';
import type { ChaosMesh } from '../mesh/chaos-mesh.js';
import type { PostgresEnd } from '../mesh/postgres.js';
import { CHAOS_SERVICES } from '../mesh/service-settings.js';
import type { TcpProxy } from '../mesh/tcp-proxy.js';
import type { Random } from '../random.js';
import { fillStream } from './full-stream.js';
import type { PlannedFault } from './schedule.js';

export interface FaultTools {
  readonly mesh: ChaosMesh;
  /** Of the operator, past every proxy. */
  readonly bus: Bus;
  readonly random: Random;
  /** Build that a rolling upgrade goes to; undefined: the same build again. */
  readonly upgradeRoot: string | undefined;
}

const RESTART_GRACE_MS = 8_000;
const READY_TIMEOUT_MS = 90_000;

/** Does one fault and undoes it; settles when it is undone. Rejects only when it could not be undone. */
export async function injectFault(fault: PlannedFault, tools: FaultTools): Promise<void> {
  const { mesh } = tools;
  const { kind, target, holdMs, delayMs = 0 } = fault;
  switch (kind) {
    case 'kill-service':
      return mesh.replica(target).kill(READY_TIMEOUT_MS);
    case 'pause-service':
      mesh.replica(target).signal('SIGSTOP');
      await sleep(holdMs);
      mesh.replica(target).signal('SIGCONT');
      return;
    case 'kill-runtime':
      return killRuntime(mesh, tools.random);
    case 'kill-nats':
      await mesh.nats.kill(Number(target));
      await sleep(holdMs);
      return mesh.nats.startNode(Number(target));
    case 'pause-nats':
      mesh.nats.signal(Number(target), 'SIGSTOP');
      await sleep(holdMs);
      mesh.nats.signal(Number(target), 'SIGCONT');
      return;
    case 'postgres-fast':
    case 'postgres-immediate':
    case 'postgres-kill':
      return mesh.postgres.restart(kind.slice('postgres-'.length) as PostgresEnd);
    case 'cut-clients':
      mesh.clients.cut(0.5 + tools.random.next() / 2, () => tools.random.next());
      return;
    case 'cut-vms':
      mesh.vms.cut();
      return;
    case 'stall-clients':
      return held([mesh.clients], holdMs, (line, on) => line.stall(on));
    case 'delay-clients':
      return held([mesh.clients], holdMs, (line, on) => line.delay(on ? delayMs : 0));
    case 'cut-nats-lines':
    case 'stall-nats-lines':
    case 'delay-nats-lines':
      return disturbLines(mesh.replica(target).natsLanes, fault);
    case 'cut-database-lines':
    case 'stall-database-lines':
    case 'delay-database-lines': {
      const { databaseLane } = mesh.replica(target);
      return disturbLines(databaseLane === undefined ? [] : [databaseLane], fault);
    }
    case 'full-streams':
      return fillStream(tools.bus, target, () => sleep(holdMs));
    case 'rolling-restart':
      return roll(mesh, mesh.options.root);
    case 'rolling-upgrade':
      return roll(mesh, tools.upgradeRoot ?? mesh.options.root);
  }
}

async function disturbLines(lines: readonly TcpProxy[], { kind, holdMs, delayMs = 0 }: PlannedFault): Promise<void> {
  if (kind.startsWith('stall')) return held(lines, holdMs, (line, on) => line.stall(on));
  if (kind.startsWith('delay')) return held(lines, holdMs, (line, on) => line.delay(on ? delayMs : 0));
  return held(lines, holdMs, (line, on) => {
    line.refuse(on);
    if (on) line.cut();
  });
}

async function held(lines: readonly TcpProxy[], holdMs: number, set: (line: TcpProxy, on: boolean) => void): Promise<void> {
  for (const line of lines) set(line, true);
  await sleep(holdMs);
  for (const line of lines) set(line, false);
}

async function killRuntime(mesh: ChaosMesh, random: Random): Promise<void> {
  const { runtimes } = mesh;
  if (runtimes.length > 0) await endProcess(random.pick(runtimes), { signal: 'SIGKILL' });
}

/** One replica after the other is stopped in order and started again, each only when the one before it is ready: old and new work side by side meanwhile. */
async function roll(mesh: ChaosMesh, root: string): Promise<void> {
  for (const service of CHAOS_SERVICES) {
    for (const replica of mesh.of(service)) {
      replica.root = root;
      // Another fault may have it just now; then its next life is the new one already.
      if (replica.pid !== undefined) await replica.restart(RESTART_GRACE_MS, READY_TIMEOUT_MS);
      await replica.ready(READY_TIMEOUT_MS);
    }
  }
}
