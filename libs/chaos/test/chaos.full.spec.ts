import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { repositoryRoot } from '@plexus/local-stack';
import { chaosPage } from '../src/report/chaos-page.js';
import { runChaos } from '../src/run-chaos.js';

/** The same faults every time; what they meet differs, and what must not happen does not. */
const SEED = 20_261_121;

describe('a mesh that takes a beating', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), 'plexus-chaos-'));
    chmodSync(dir, 0o711); // as root Postgres runs as another user inside
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('loses and doubles nothing that was acknowledged, keeps offsets and tenants apart, ends every run once, and comes to rest', async () => {
    const log: string[] = [];
    const result = await runChaos({
      seed: SEED,
      durationMs: 25_000,
      slow: 3,
      tenants: 2,
      usersPerTenant: 1,
      replicas: 2,
      natsNodes: 3,
      pace: 1,
      faultEveryMs: 5_000,
      kinds: ['kill-service', 'kill-nats', 'postgres-immediate', 'cut-clients', 'cut-vms'],
      dir: path.join(dir, 'run'),
      root: repositoryRoot(),
      note: (line) => log.push(line),
    }).catch((error: unknown) => {
      throw new Error(`the run failed after:\n${log.slice(-20).join('\n')}`, { cause: error });
    });
    expect(result.violations).toEqual([]);
    expect(result.disturbances.length).toBeGreaterThanOrEqual(3);
    for (const kind of ['say', 'event', 'remember'] as const)
      expect(result.history.operations.some((one) => one.kind === kind && one.outcome === 'ok')).toBe(true);
    expect(chaosPage(result)).toContain('Every promise was kept');
  }, 1_200_000);
});
