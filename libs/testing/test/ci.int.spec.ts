import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { repositoryRoot } from '@plexus/local-stack';
import { throwAwayFolder } from '../src/index.js';

/** Runs `.ci/run` with an npm that only prints: what it says for `run test` and `run test:full`, and how it ends. */
function ci(fast: { says: string; code: number }, full: { says: string; code: number }): { code: number | null; last: string } {
  const folder = throwAwayFolder('ci').path;
  mkdirSync(path.join(folder, 'bin'));
  cpSync(path.join(repositoryRoot(), '.ci/run'), path.join(folder, '.ci/run'));
  const npm = path.join(folder, 'bin/npm');
  const branch = ({ says, code }: { says: string; code: number }): string => `printf '%s\\n' 'some output' '${says}'; exit ${code}`;
  writeFileSync(npm, `#!/bin/sh\nif [ "$2" = test ]; then ${branch(fast)}; else ${branch(full)}; fi\n`);
  chmodSync(npm, 0o755);
  const { status, stdout } = spawnSync(path.join(folder, '.ci/run'), { encoding: 'utf8', env: { PATH: `${path.dirname(npm)}:/usr/bin:/bin` } });
  return { code: status, last: stdout.trim().split('\n').at(-1) ?? '' };
}

describe('.ci/run', () => {
  it('sums both tiers into its last line and succeeds when both did', () => {
    const result = ci({ says: '12 passed, 0 failed, 2 skipped', code: 0 }, { says: '3 passed, 0 failed', code: 0 });
    expect(result).toEqual({ code: 0, last: '15 passed, 0 failed, 2 skipped' });
  });

  it('runs the long tier also after failures, and fails', () => {
    const result = ci({ says: '10 passed, 2 failed', code: 1 }, { says: '3 passed, 0 failed, 1 skipped', code: 0 });
    expect(result).toEqual({ code: 1, last: '13 passed, 2 failed, 1 skipped' });
  });

  it('counts a tier that ended without a result as a failure', () => {
    expect(ci({ says: 'no counts at all', code: 0 }, { says: '3 passed, 0 failed', code: 0 })).toEqual({ code: 1, last: '3 passed, 1 failed, 0 skipped' });
  });

  it('fails when npm did, whatever was counted', () => {
    expect(ci({ says: '3 passed, 0 failed', code: 7 }, { says: '3 passed, 0 failed', code: 0 })).toMatchObject({ code: 1 });
  });
});
