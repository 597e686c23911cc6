// Start-up time and resident memory of the whole embedded mesh. Memory is read from /proc after ten quiet seconds, once with the memory
// service on PGlite (the default) and once on a Postgres of its own, so that PGlite's share can be told apart.
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Mesh, startMesh, startPostgres } from '@plexus/local-stack';

const RUNS = 3;
const QUIET_MS = 10_000;
const folder = mkdtempSync(path.join(tmpdir(), 'plexus-bench-mesh-'));
// As root, Postgres runs as another user, who has to reach its folder.
chmodSync(folder, 0o755);

function print(name: string, unit: string, values: readonly number[], goal?: string): void {
  const sorted = values.map((value) => Math.round(value * 10) / 10).sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  process.stdout.write(
    `${JSON.stringify({ name, value: median, unit, median, min: sorted[0], max: sorted.at(-1), runs: values.length, ...(goal === undefined ? {} : { goal }) })}\n`,
  );
}

/** Resident megabytes (VmRSS) of one process. */
function resident(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? 0) / 1_000;
}

async function timed(state: string, env: Record<string, string> = {}): Promise<{ mesh: Mesh; seconds: number }> {
  const started = performance.now();
  const mesh = await startMesh({ stateDir: path.join(folder, state), gatewayPort: 0, env: { ...process.env, ...env } });
  return { mesh, seconds: (performance.now() - started) / 1_000 };
}

const fresh: number[] = [];
const again: number[] = [];
try {
  for (let run = 0; run < RUNS; run += 1) {
    const first = await timed(`state-${run}`);
    fresh.push(first.seconds);
    await first.mesh.stop();
    const second = await timed(`state-${run}`);
    again.push(second.seconds);
    if (run === RUNS - 1) {
      await sleep(QUIET_MS);
      for (const [name, { pid }] of Object.entries(second.mesh.services))
        print(`resident at rest, ${name}${name === 'memory' ? ' on PGlite' : ''}`, 'MB', [resident(pid)]);
      for (const name of ['nats', 'postgres'] as const) {
        const pid = second.mesh.pids[name];
        if (pid !== undefined) print(`resident at rest, ${name} (main process)`, 'MB', [resident(pid)]);
      }
    }
    await second.mesh.stop();
  }
  print('start to ready, fresh state', 's', fresh, '<= 30');
  print('start to ready, state kept', 's', again, '<= 15');

  const postgres = await startPostgres({ dir: path.join(folder, 'memory-postgres') });
  try {
    const { mesh } = await timed('state-pg', { MEMORY_DATABASE_URL: postgres.url() });
    await sleep(QUIET_MS);
    const each = Object.values(mesh.services).map(({ pid }) => resident(pid));
    print('resident at rest, memory on Postgres', 'MB', [resident(mesh.services.memory?.pid ?? 0)]);
    print('resident at rest, all services together, memory on Postgres', 'MB', [each.reduce((sum, one) => sum + one, 0)], '<= 600');
    await mesh.stop();
  } finally {
    await postgres.stop();
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
