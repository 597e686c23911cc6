import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

describe('the suite of the decision engine', () => {
  it('notices every fault that is planted', () => {
    const script = fileURLToPath(new URL('./mutate.mjs', import.meta.url));
    const { stdout, stderr, status } = spawnSync(process.execPath, [script], { encoding: 'utf8' });
    expect(stdout.split('\n').filter((line) => line.startsWith('NOT NOTICED'))).toEqual([]);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout.match(/^noticed: /gm)?.length).toBeGreaterThanOrEqual(12);
  }, 3_600_000);
});
