import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { statePaths } from '@plexus/local-stack';
import { expectGone, marked, throwAwayFolder } from '../../src/index.js';
import { everythingOf, Start, Starts } from './start.js';

/** For each test: a start of everything, and what it does then, on a slow machine under load. */
const PATIENCE_MS = 400_000;

describe('npm start', () => {
  const stateDir = path.join(throwAwayFolder('start').path, 'state');
  const starts = new Starts(stateDir);

  afterAll(() => starts.end(), 180_000);

  it(
    'prints exactly one line on stdout, with the address of everything',
    async () => {
      const { start, ready } = await starts.running();
      expect(start.stdout.trim().split('\n')).toHaveLength(1);
      expect(Object.keys(ready)).toEqual(['ready', 'gateway', 'nats', 'token', 'pid', 'services']);
      expect(ready.pid).toBe(start.child.pid);
      expect(Object.keys(ready.services).sort()).toEqual(['gateway', 'memory', 'push', 'routing', 'scheduler']);
      expect((await fetch(`${ready.gateway.http}/healthz`)).status).toBe(200);
      for (const { http } of Object.values(ready.services)) expect((await fetch(`${http}/readyz`)).status).toBe(200);
      expect(ready.token).toBe(readFileSync(statePaths(stateDir).token, 'utf8').trim());
      expect(statSync(statePaths(stateDir).token).mode & 0o777).toBe(0o600);
    },
    PATIENCE_MS,
  );

  it(
    'on the same state a second time says who is running, and ends with an error',
    async () => {
      const { ready } = await starts.running();
      const second = new Start(stateDir);
      expect(await second.exit).toBe(1);
      expect(second.stdout).toBe('');
      expect(second.stderr).toContain(`already running on ${stateDir} (pid ${ready.pid}, gateway at ${ready.gateway.ws})`);
      for (const way of [`kill ${ready.pid}`, 'npm start -- --state <folder>']) expect(second.stderr).toContain(way);
    },
    PATIENCE_MS,
  );

  it(
    'stops at SIGTERM in order, ends with code 0 and leaves no process behind',
    async () => {
      const { start, ready } = await starts.running();
      const everything = await everythingOf(ready, stateDir);
      start.child.kill('SIGTERM');
      expect(await start.exit).toBe(0);
      await expectGone(everything, 60_000);
      expect(marked(readFileSync(statePaths(stateDir).clusterId, 'utf8').trim())).toEqual([]);
    },
    PATIENCE_MS,
  );

  it('refuses arguments it does not know', async () => {
    const start = new Start(stateDir, '--frehs');
    expect(await start.exit).toBe(2);
    expect(start.stderr).toContain('--fresh');
  }, 180_000);
});
