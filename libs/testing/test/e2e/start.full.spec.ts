import { readFileSync } from 'node:fs';
import path from 'node:path';
import { statePaths } from '@plexus/local-stack';
import { expectGone, marked, throwAwayFolder, waitFor } from '../../src/index.js';
import { everythingOf, Starts } from './start.js';

/** For each test: starts of everything, and what it does then, on a slow machine under load. */
const PATIENCE_MS = 600_000;

describe('npm start, interrupted', () => {
  const stateDir = path.join(throwAwayFolder('start').path, 'state');
  const starts = new Starts(stateDir);

  afterAll(() => starts.end(), 180_000);

  it(
    'starts a killed service again and says so',
    async () => {
      const { start, ready } = await starts.running();
      process.kill(ready.services.push?.pid ?? 0, 'SIGKILL');
      await waitFor(() => start.stderr.includes('push was ended by SIGKILL; starting it again in'), { what: 'the line that says so' });
      await waitFor(() => /push is back \(pid \d+\)/.test(start.stderr), { timeoutMs: 120_000, what: 'push to be back' });
    },
    PATIENCE_MS,
  );

  it(
    'whose launcher is killed leaves no process behind, and starts again',
    async () => {
      const { start, ready } = await starts.running();
      const everything = await everythingOf(ready, stateDir);
      start.child.kill('SIGKILL');
      await start.exit;
      await expectGone(everything, 60_000);
      expect((await starts.running()).ready.pid).not.toBe(ready.pid);
    },
    PATIENCE_MS,
  );

  it(
    'stops at two SIGINT in order, ends with code 0 and leaves no process behind',
    async () => {
      const { start, ready } = await starts.running();
      const everything = await everythingOf(ready, stateDir);
      // A terminal sends it to npm and to us, and npm passes its own on.
      start.child.kill('SIGINT');
      start.child.kill('SIGINT');
      expect(await start.exit).toBe(0);
      await expectGone(everything, 60_000);
      expect(marked(readFileSync(statePaths(stateDir).clusterId, 'utf8').trim())).toEqual([]);
    },
    PATIENCE_MS,
  );
});
