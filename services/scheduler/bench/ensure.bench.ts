// ensure on a VM that is ready, a claim from a warm pool, and the cold start of a local VM. The first two on the store and a real Postgres, each against
// one prepared select on the same connection; the third through gateway, mesh and runtime, against a bare Node process that opens a WebSocket.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createPool } from '@plexus/database';
import { startMesh } from '@plexus/local-stack';
import { createTestDatabase } from '@plexus/testing';
import { PostgresJobs } from '../dist/src/adapters/postgres/postgres-jobs.js';
import { PostgresOwnerStore } from '../dist/src/adapters/postgres/postgres-owner-store.js';
import { declareTemplates } from '../dist/src/adapters/postgres/postgres-templates.js';

const CALLS = 1_000;
const CLAIMS = 60;
const COLD = 7;

function print(name: string, unit: string, values: readonly number[], rest: { ratioTo?: string; goal?: string } = {}): number {
  const sorted = values.map((value) => Math.round(value * 1_000) / 1_000).sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] as number;
  process.stdout.write(`${JSON.stringify({ name, value: median, unit, median, min: sorted[0], max: sorted.at(-1), runs: values.length, ...rest })}\n`);
  return median;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

const events = { stateChanged: () => ({ subject: 's', msgId: `${Math.random()}`, body: new Uint8Array() }) } as never;
const database = await createTestDatabase(path.join(import.meta.dirname, '../prisma/migrations'), 'scheduler');
const pool = createPool({ url: database.url, schema: 'scheduler', applicationName: 'bench', max: 2 });
try {
  const parts = { events, replica: 'bench', quota: () => undefined, defaultProvider: 'local', limitsOf: () => ({}) };
  const owners = new PostgresOwnerStore(pool, parts, 1_800_000);
  await declareTemplates(pool, {
    templates: [{ name: 'default', isolationMin: 'none', labels: {}, spec: {} }],
    pools: [{ id: 'bench', tenant: 'acme', template: 'default', size: CLAIMS, maxAgeMs: 3_600_000, updatePolicy: 'recreate' }],
  } as never);
  const key = (subject: string) => ({ tenant: 'acme', subject, scope: 'user' });
  await owners.ensure(key('ada'), 'vm-ada');
  await pool.query('bench_ready', `UPDATE vms SET state = 'ready' WHERE id = 'vm-ada'`);
  const select: number[] = [];
  const ensure: number[] = [];
  for (let call = -100; call < CALLS; call += 1) {
    const one = await timed(() => pool.query('bench_select', 'SELECT id, state, current_epoch FROM vms WHERE id = $1', ['vm-ada']));
    const other = await timed(() => owners.ensure(key('ada'), 'vm-unused'));
    if (call < 0) continue;
    select.push(one);
    ensure.push(other);
  }
  print('one prepared select', 'ms', select);
  const p50 = print('ensure on a live VM', 'ms', ensure);
  print('ensure on a live VM, over one prepared select', 'x', [p50 / (select.sort((a, b) => a - b)[CALLS / 2] as number)], {
    ratioTo: 'one prepared select',
    goal: '<= 2',
  });
  print('ensure on a live VM, p99', 'ms', [ensure.sort((a, b) => a - b)[Math.floor(CALLS * 0.99)] as number], { goal: '<= 50' });

  const jobs = new PostgresJobs(pool, 'bench', 'local');
  let made = 0;
  for (let turn = 0; turn < Math.ceil(CLAIMS / 16); turn += 1) {
    await jobs.fill((await jobs.acquire('pools', 60_000)) as number, () => {
      made += 1;
      return `vm-warm-${made}`;
    });
  }
  await pool.query(
    'bench_warm',
    `WITH i AS (INSERT INTO vm_instances (vm_id, provider, provider_name, phase, gateway, lease_until, was_warm)
      SELECT id, 'local', id, 'running', 'gw', now() + interval '1 hour', true FROM vms WHERE pool_id IS NOT NULL RETURNING vm_id, epoch)
    UPDATE vms SET state = 'warm', current_epoch = i.epoch FROM i WHERE vms.id = i.vm_id`,
  );
  const claims: number[] = [];
  for (let claim = 0; claim < CLAIMS; claim += 1) claims.push(await timed(() => owners.ensure(key(`user-${claim}`), `vm-cold-${claim}`)));
  const [cold] = await pool.query<{ count: number }>('bench_cold', `SELECT count(*) AS count FROM vms WHERE id LIKE 'vm-cold-%'`);
  if (cold?.count !== 0) throw new Error('not every claim was served from the pool');
  print('claim from a warm pool', 'ms', claims);
} finally {
  await pool.close();
  await database.drop();
}

const folder = mkdtempSync(path.join(tmpdir(), 'plexus-bench-vm-'));
const mesh = await startMesh({ stateDir: folder, gatewayPort: 0, env: { ...process.env } });
try {
  const bare: number[] = [];
  const cold: number[] = [];
  const script = `new WebSocket(${JSON.stringify(mesh.gateway.ws)}).addEventListener('open', () => process.exit(0))`;
  for (let run = 0; run < COLD; run += 1) {
    bare.push(await timed(() => new Promise((resolve) => spawn(process.execPath, ['-e', script], { stdio: 'ignore' }).once('exit', resolve))));
    cold.push(
      await timed(async () => {
        const response = await fetch(`${mesh.gateway.http}/v1/vms/ensure`, {
          method: 'POST',
          headers: { authorization: `Bearer ${mesh.token}`, 'content-type': 'application/json' },
          body: JSON.stringify({ scope: `session:bench-${run}`, wait: 'ready', waitMs: 30_000 }),
        });
        if (!response.ok) throw new Error(await response.text());
      }),
    );
  }
  const base = print('a Node process that opens a WebSocket', 'ms', bare);
  print('local cold start, ensure to ready', 'ms', cold);
  const sorted = [...cold].sort((a, b) => a - b);
  print('local cold start, over a Node process that opens a WebSocket', 'x', [(sorted[Math.floor(COLD / 2)] as number) / base], {
    ratioTo: 'a Node process that opens a WebSocket',
    goal: '<= 3',
  });
} finally {
  await mesh.stop();
  rmSync(folder, { recursive: true, force: true });
}
