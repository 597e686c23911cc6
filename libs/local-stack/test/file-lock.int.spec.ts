import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { identify, lock, readHolder, tryLock } from '../src/index.js';
import { scratchFolder } from './scratch.js';

const library = pathToFileURL(path.join(import.meta.dirname, '../../kernel/dist/src/file-lock/index.js')).href;
const runScript = (script: string) => spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });

describe('a file lock', () => {
  it('tells who holds it, and is free after the release', () => {
    const file = path.join(scratchFolder(), 'lock');
    const first = tryLock(file, { gateway: 'ws://x' });
    if (!('held' in first)) throw new Error('the lock was not free');
    expect(tryLock(file)).toMatchObject({ holder: { process: { pid: process.pid }, note: { gateway: 'ws://x' } } });
    first.held.annotate({ gateway: 'ws://y' });
    expect(readHolder(file)?.note).toEqual({ gateway: 'ws://y' });
    first.held.release();
    expect(existsSync(file)).toBe(false);
  });

  it('of a killed process is taken over', async () => {
    const file = path.join(scratchFolder(), 'lock');
    const child = runScript(
      `import { tryLock } from ${JSON.stringify(library)}; tryLock(${JSON.stringify(file)}); console.log('held'); setInterval(() => {}, 1000);`,
    );
    await once(child.stdout, 'data');
    expect(tryLock(file)).toMatchObject({ holder: { process: { pid: child.pid } } });
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(tryLock(file)).toHaveProperty('held');
  });

  it('of another process that has the same pid by now is taken over', () => {
    const file = path.join(scratchFolder(), 'lock');
    writeFileSync(file, JSON.stringify({ process: { pid: process.pid, startedAt: 'long ago' }, note: {} }));
    expect(tryLock(file)).toHaveProperty('held');
    expect(readHolder(file)?.process).toEqual(identify(process.pid));
  });

  it('that is not readable is taken over', () => {
    const file = path.join(scratchFolder(), 'lock');
    writeFileSync(file, '{"process":');
    expect(tryLock(file)).toHaveProperty('held');
  });

  it('lets one of many processes in at a time', async () => {
    const folder = scratchFolder();
    const [file, counter] = [path.join(folder, 'lock'), path.join(folder, 'counter')];
    writeFileSync(counter, '0');
    const script = `
      import { lock } from ${JSON.stringify(library)};
      import { readFileSync, writeFileSync } from 'node:fs';
      import { setTimeout as sleep } from 'node:timers/promises';
      for (let round = 0; round < 5; round += 1) {
        const held = await lock(${JSON.stringify(file)}, 30_000);
        const before = Number(readFileSync(${JSON.stringify(counter)}, 'utf8'));
        await sleep(5);
        writeFileSync(${JSON.stringify(counter)}, String(before + 1));
        held.release();
      }`;
    const codes = await Promise.all(Array.from({ length: 4 }, async () => (await once(runScript(script), 'exit'))[0]));
    expect(codes).toEqual([0, 0, 0, 0]);
    expect(readFileSync(counter, 'utf8')).toBe('20');
  });

  it('whose holders are killed one after the other never has two at a time', async () => {
    const folder = scratchFolder();
    const [file, inside] = [path.join(folder, 'lock'), path.join(folder, 'inside')];
    // Each dies with the lock in its hands: every turn but the first is a take-over.
    const script = `
      import { tryLock } from ${JSON.stringify(library)};
      import { rmSync, writeFileSync } from 'node:fs';
      for (;;) {
        if ('held' in tryLock(${JSON.stringify(file)})) break;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      try {
        writeFileSync(${JSON.stringify(inside)}, '', { flag: 'wx' });
      } catch {
        process.exit(3);
      }
      for (const until = performance.now() + 3; performance.now() < until; );
      rmSync(${JSON.stringify(inside)});
      process.kill(process.pid, 'SIGKILL');`;
    const endings = await Promise.all(Array.from({ length: 24 }, () => once(runScript(script), 'exit')));
    expect(endings.filter(([, signal]) => signal !== 'SIGKILL')).toEqual([]);
    expect(tryLock(file)).toHaveProperty('held');
    expect(readdirSync(folder)).toEqual(['lock']);
  });

  it('is taken over though a crash of the machine cut it short, and what was left of its last take-over too', () => {
    const folder = scratchFolder();
    const file = path.join(folder, 'lock');
    writeFileSync(file, '');
    const claim = createHash('sha256')
      .update(`${statSync(file).ino} `)
      .digest('hex')
      .slice(0, 24);
    writeFileSync(`${file}.after.${claim}`, '');
    expect(tryLock(file)).toHaveProperty('held');
    expect(readdirSync(folder)).toEqual(['lock']);
  });

  it('is given back by its holder only, and once', () => {
    const file = path.join(scratchFolder(), 'lock');
    const first = tryLock(file);
    if (!('held' in first)) throw new Error('the lock was not free');
    first.held.release();
    const second = tryLock(file);
    if (!('held' in second)) throw new Error('the lock was not free');
    first.held.release();
    first.held.annotate({ gateway: 'ws://x' });
    expect(readHolder(file)?.note).toEqual({});
    second.held.release();
    expect(existsSync(file)).toBe(false);
  });

  it('of a holder that stands still stays its own', async () => {
    const file = path.join(scratchFolder(), 'lock');
    const child = runScript(
      `import { tryLock } from ${JSON.stringify(library)}; tryLock(${JSON.stringify(file)}); console.log('held'); setInterval(() => {}, 1000);`,
    );
    try {
      await once(child.stdout, 'data');
      child.kill('SIGSTOP');
      expect(tryLock(file)).toMatchObject({ holder: { process: { pid: child.pid } } });
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('that stays held makes the waiting end with the pid of its holder', async () => {
    const file = path.join(scratchFolder(), 'lock');
    tryLock(file);
    await expect(lock(file, 100)).rejects.toThrow(String(process.pid));
  });
});
