import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { identify, isRunning, signalProcess, waitUntilGone } from '../src/index.js';
import { RotatingLog } from '../src/rotating-log.js';
import { startService } from '../src/service-process.js';
import { type Change, type Life, Supervised } from '../src/supervised.js';
import { scratchFolder } from './scratch.js';

/** A service as the supervision sees one: it reports ready over IPC and stops on SIGTERM or when its parent is gone. */
const WELL_BEHAVED = `
  process.on('SIGTERM', () => process.exit(0));
  process.on('disconnect', () => process.exit(0));
  process.send({ type: 'ready', http: 'http://127.0.0.1:1', extra: { answer: 42 } });
  setInterval(() => {}, 1000);
`;

function service(script: string, readyTimeoutMs = 60_000): { begin: (abort: AbortSignal) => Promise<Life>; log: RotatingLog } {
  const folder = scratchFolder();
  const file = path.join(folder, 'main.mjs');
  writeFileSync(file, script);
  const log = new RotatingLog(path.join(folder, 'service.log'));
  const options = { name: 'probe', node: process.execPath, nodeFlags: [], script: file, cwd: folder, env: { PATH: '/usr/bin:/bin' }, log, readyTimeoutMs };
  return { begin: (abort) => startService(options, abort), log };
}

function supervise(begin: (abort: AbortSignal) => Promise<Life>): { supervised: Supervised; changes: Change[] } {
  const changes: Change[] = [];
  return { supervised: new Supervised({ name: 'probe', begin, onChange: (change) => changes.push(change), backoff: { baseMs: 10, capMs: 40 } }), changes };
}

describe('a supervised service', () => {
  it('is ready when it says so, with what it says', async () => {
    const { supervised } = supervise(service(WELL_BEHAVED).begin);
    const life = await supervised.start();
    expect(life).toMatchObject({ http: 'http://127.0.0.1:1', extra: { answer: 42 } });
    await supervised.stop(2_000);
    expect(isRunning(life.identity)).toBe(false);
  });

  it('says which port is taken when it dies of that, and not what an earlier life said', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const taken = service(`import { createServer } from 'node:net'; createServer().listen(${port}, '127.0.0.1');`);
    await expect(supervise(taken.begin).supervised.start()).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: expect.stringContaining(`probe cannot listen: port ${port} is taken by another program.`),
      hint: expect.stringContaining('choose another port'),
    });
    server.close();
    const other = service('process.exit(3)');
    other.log.write('Error: listen EADDRINUSE: address already in use 127.0.0.1:1\n');
    await expect(supervise(other.begin).supervised.start()).rejects.toMatchObject({ code: 'PROCESS_FAILED' });
  });

  it('is started again after kill -9, with a change that says why and when', async () => {
    const { supervised, changes } = supervise(service(WELL_BEHAVED).begin);
    const first = await supervised.start();
    first.signal('SIGKILL');
    const second = await supervised.nextLife(60_000, first);
    expect(second.identity.pid).not.toBe(first.identity.pid);
    expect(changes.map(({ kind }) => kind)).toEqual(['ready', 'ended', 'ready']);
    expect(changes[1]).toMatchObject({ reason: 'was ended by SIGKILL', retryInMs: 10 });
    await supervised.stop(2_000);
    expect(isRunning(second.identity)).toBe(false);
  });

  it('that ends because it wants a restart is started again at once, without counting as a failure', async () => {
    const planned = `process.on('SIGUSR2', () => process.exit(75));${WELL_BEHAVED}`;
    const { supervised, changes } = supervise(service(planned).begin);
    let life = await supervised.start();
    for (let round = 0; round < 2; round += 1) {
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      life.signal('SIGUSR2');
      life = await supervised.nextLife(60_000, life);
    }
    expect(changes.filter(({ kind }) => kind === 'ended')).toEqual([expect.objectContaining({ retryInMs: 0 }), expect.objectContaining({ retryInMs: 0 })]);
    life.signal('SIGKILL');
    await supervised.nextLife(60_000, life);
    expect(changes.findLast(({ kind }) => kind === 'ended')).toMatchObject({ retryInMs: 10 });
    await supervised.stop(2_000);
  }, 180_000);

  it('that keeps failing is tried with growing, bounded pauses, and a stop ends the trying', async () => {
    const { begin } = service('process.exit(3)');
    const good = service(WELL_BEHAVED);
    let lives = 0;
    const { supervised, changes } = supervise((abort) => (lives++ === 0 ? good.begin(abort) : begin(abort)));
    const first = await supervised.start();
    first.signal('SIGKILL');
    for (let rounds = 0; changes.length < 6 && rounds < 3_000; rounds += 1) await new Promise((resolve) => setTimeout(resolve, 20));
    await supervised.stop(2_000);
    const pauses = changes.flatMap((change) => (change.kind === 'ready' ? [] : [change.retryInMs]));
    expect(pauses.slice(0, 4)).toEqual([10, 20, 40, 40]);
    const count = lives;
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(lives).toBe(count);
  });

  it('that refuses its settings fails the start at once, with the end of its log', async () => {
    const { begin } = service(`console.error('GATEWAY_PORT: must be a number'); process.exit(78);`);
    const { supervised } = supervise(begin);
    await expect(supervised.start()).rejects.toMatchObject({ code: 'SETTING_INVALID', message: expect.stringContaining('GATEWAY_PORT: must be a number') });
  });

  it('that never reports ready is killed and fails the start', async () => {
    const { begin } = service(`setInterval(() => {}, 1000); console.log('pid ' + process.pid);`, 3_000);
    const { supervised } = supervise(begin);
    const failure = await supervised.start().then(
      () => undefined,
      (error: Error) => error,
    );
    expect(failure).toMatchObject({ code: 'PROCESS_NOT_READY' });
    const pid = Number(/pid (\d+)/.exec(failure?.message ?? '')?.[1]);
    expect(identify(pid)).toBeUndefined();
  });

  it('that ignores SIGTERM is killed when the grace is over', async () => {
    const { supervised } = supervise(service(WELL_BEHAVED.replace("process.on('SIGTERM', () => process.exit(0))", "process.on('SIGTERM', () => {})")).begin);
    const life = await supervised.start();
    const begunAt = performance.now();
    await supervised.stop(300);
    expect(performance.now() - begunAt).toBeGreaterThanOrEqual(290);
    expect(isRunning(life.identity)).toBe(false);
  });

  it('that is stopped while it starts leaves nothing behind', async () => {
    const { begin, log } = service(`console.log('pid ' + process.pid); setInterval(() => {}, 1000);`);
    const { supervised } = supervise(begin);
    const start = supervised.start().catch((error: Error) => error);
    while (!/pid \d+/.test(log.tail())) await new Promise((resolve) => setTimeout(resolve, 10));
    await supervised.stop(1_000);
    expect(await start).toMatchObject({ code: 'STOPPED' });
    expect(identify(Number(/pid (\d+)/.exec(log.tail())?.[1]))).toBeUndefined();
  });
});

describe('signals', () => {
  it('never reach a process that merely has the pid of the one meant', () => {
    expect(signalProcess({ pid: process.pid, startedAt: 'long ago' }, 'SIGKILL')).toBe(false);
  });

  it('waiting for a process that stays says so', async () => {
    const self = identify(process.pid);
    if (self === undefined) throw new Error('no identity');
    expect(await waitUntilGone(self, 50)).toBe(false);
  });
});

describe('a service log', () => {
  it('stays bounded while a process writes to it, and keeps what was written before', () => {
    const file = path.join(scratchFolder(), 'x.log');
    const log = new RotatingLog(file, 100);
    for (let line = 0; line < 50; line += 1) {
      writeSync(log.descriptor, `line ${line}\n`); // as the process does
      log.trim();
    }
    expect(log.tail(1)).toBe('line 49');
    log.close();
    for (const name of [file, `${file}.1`]) expect(statSync(name).size).toBeLessThanOrEqual(110);
    expect(readFileSync(`${file}.1`, 'utf8')).toMatch(/^line \d+\n/);
  });
});
