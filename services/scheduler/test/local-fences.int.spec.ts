import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expectGone, marked, type ThrowAwayFolder, throwAwayFolder, waitFor } from '@plexus/testing';
import { LocalProvider } from '../src/adapters/local/local-provider.js';
import { identify, isRunning } from '../src/adapters/local/process-table.js';
import { withFolderLock } from '../src/adapters/local/folder-lock.js';
import type { IncarnationKey } from '../src/application/provider-port.js';
import { fixture } from './support/mesh.js';

const PATIENCE = { timeoutMs: 60_000 };

interface Received {
  readonly pid: number;
  readonly children: number[];
}

describe('fences of the local provider', () => {
  let folder: ThrowAwayFolder;
  let cluster: string;
  let provider: LocalProvider;
  let counter = 0;
  const strangers: ChildProcess[] = [];

  const open = (options: { orphanPolicy?: 'adopt' | 'die' } = {}): LocalProvider =>
    new LocalProvider({
      root: folder.path,
      runtimeEntry: fixture('contract-runtime.mjs'),
      cluster,
      controlPlaneUrl: 'ws://127.0.0.1:1/ws/vm',
      environment: { PATH: process.env.PATH ?? '' },
      log: { warn: (fields, message) => console.warn(message, fields) },
      ...options,
    });
  const fresh = (): IncarnationKey => {
    counter += 1;
    return { vmId: `vm-fence-${counter}`, epoch: 1 };
  };
  const start = async (key: IncarnationKey, userId = 'me', by = provider): Promise<Received> => {
    await by.create({ ...key, userId, bootstrap: async () => ({ ticket: 't', token: 'k', bootstrapSecret: 's' }) });
    return waitFor(() => JSON.parse(readFileSync(path.join(folder.path, key.vmId, 'workspace', `received-${key.epoch}.json`), 'utf8')) as Received, PATIENCE);
  };
  const recordFile = ({ vmId }: IncarnationKey): string => path.join(folder.path, vmId, 'instance.json');
  const stranger = (): ChildProcess => {
    const child = spawn('/bin/sleep', ['600'], { stdio: 'ignore', detached: true });
    strangers.push(child);
    return child;
  };
  const isAlive = (pid: number | undefined): boolean => pid !== undefined && identify(pid) !== undefined;

  beforeAll(() => {
    folder = throwAwayFolder('local-fences');
    cluster = `test-${path.basename(folder.path)}`;
    provider = open();
  });
  afterEach(async () => {
    for (const instance of await provider.list()) await provider.destroy(instance, { force: true });
    for (const child of strangers.splice(0)) child.kill('SIGKILL');
  });
  afterAll(async () => {
    await provider.close();
    await expectGone(marked(cluster));
    folder.remove();
  });

  it('kills a process group that was stopped: nothing of it ever continues', async () => {
    const key = fresh();
    const { pid, children } = await start(key, 'forks');
    process.kill(-pid, 'SIGSTOP');
    expect(await provider.destroy(key, { force: true })).toMatchObject({ phase: 'exited', signal: 'SIGKILL' });
    for (const gone of [pid, ...children]) expect(isAlive(gone)).toBe(false);
  });

  it('kills children that stayed in the group and those that moved away and do not listen', async () => {
    const key = fresh();
    const { pid, children } = await start(key, 'forks');
    expect(children.every(isAlive)).toBe(true);
    process.kill(pid, 'SIGKILL');
    await waitFor(() => !isAlive(pid), PATIENCE);
    expect(children.every(isAlive)).toBe(true);
    await provider.destroy(key, { force: false, graceMs: 200 });
    expect(children.some(isAlive)).toBe(false);
  });

  it('does not take a later process with the same pid for its own', async () => {
    const key = fresh();
    const { pid: strangerPid } = stranger();
    const real = identify(strangerPid as number);
    mkdirSync(path.join(folder.path, key.vmId, 'workspace'), { recursive: true });
    const reused = { pid: strangerPid, startTicks: String(Number(real?.startTicks) - 1), bootId: real?.bootId };
    writeFileSync(recordFile(key), JSON.stringify({ name: 'x', ...key, nonce: 'n', createdAt: 'now', handedOver: true, process: reused }));
    expect((await provider.observe(key)).phase).toBe('exited');
    await provider.destroy(key, { force: true });
    expect(isAlive(strangerPid)).toBe(true);
  });

  it('does not take a process of this boot for one of an earlier boot', async () => {
    const key = fresh();
    const { pid: strangerPid } = stranger();
    const before = { ...identify(strangerPid as number), bootId: '00000000-0000-0000-0000-000000000000' };
    mkdirSync(path.join(folder.path, key.vmId, 'workspace'), { recursive: true });
    writeFileSync(recordFile(key), JSON.stringify({ name: 'x', ...key, nonce: 'n', createdAt: 'now', handedOver: true, process: before }));
    expect((await provider.observe(key)).phase).toBe('exited');
    await provider.destroy(key, { force: true });
    expect(isAlive(strangerPid)).toBe(true);
  });

  it('never says absent of a process that runs and lost its record', async () => {
    const key = fresh();
    const { pid } = await start(key);
    writeFileSync(recordFile(key), JSON.stringify({ name: 'x', ...key, epoch: 7, nonce: 'n', createdAt: 'now' }));
    expect(await provider.observe(key)).toMatchObject({ phase: 'unknown' });
    expect((await provider.list()).find(({ vmId }) => vmId === key.vmId)?.ref).toMatchObject({ pid });
    await provider.destroy(key, { force: false });
    expect(isAlive(pid)).toBe(false);
    expect((await provider.observe(key)).phase).toBe('absent');
  });

  it('starts nothing for an old incarnation, and ends a straggler of the same one first', async () => {
    const key = fresh();
    const { pid } = await start(key);
    const { handedOver: _, ...record } = JSON.parse(readFileSync(recordFile(key), 'utf8')) as Record<string, unknown>;
    writeFileSync(recordFile(key), JSON.stringify(record));
    await open().create({ ...key, userId: 'me', bootstrap: async () => ({ ticket: 't', token: 'k', bootstrapSecret: 's' }) });
    expect(isAlive(pid)).toBe(false);
    expect((await provider.list()).filter(({ vmId }) => vmId === key.vmId)).toHaveLength(1);
  });

  it('lets nobody else start or remove a VM while one does, and everybody once that one is dead', async () => {
    const file = path.join(folder.path, 'lock-test');
    const holder = spawn(process.execPath, ['-e', HOLD_LOCK], { env: { FOLDER: file, PATH: process.env.PATH ?? '' }, stdio: ['ignore', 'pipe', 'inherit'] });
    mkdirSync(file, { recursive: true });
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    expect(await withFolderLock(file, 100, async () => 'mine')).toBeUndefined();
    holder.kill('SIGKILL');
    expect(await withFolderLock(file, 60_000, async () => 'mine')).toBe('mine');
  });

  it('ends with the process that started it, when the policy says so, however that one ends', async () => {
    const key = fresh();
    const built = new URL('../dist/src/adapters/local/local-provider.js', import.meta.url);
    const settings = { root: folder.path, runtimeEntry: fixture('stdin-runtime.mjs'), cluster, orphanPolicy: 'die', ...key };
    const starter = spawn(process.execPath, ['--input-type=module', '-e', START_AND_STAY, built.href, JSON.stringify(settings)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pid = Number(await new Promise((resolve) => starter.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()))));
    expect(isAlive(pid)).toBe(true);
    starter.kill('SIGKILL');
    await waitFor(() => !isAlive(pid), PATIENCE);
  });

  it('tells a runtime whether it may outlive its starter, and keeps its stdin open only if not', async () => {
    const [adopted, bound] = [fresh(), fresh()];
    const binding = open({ orphanPolicy: 'die' });
    expect(binding.capabilities.survivesSchedulerRestart).toBe(false);
    await start(adopted);
    await start(bound, 'me', binding);
    const lineOf = ({ vmId }: IncarnationKey) =>
      (JSON.parse(readFileSync(path.join(folder.path, vmId, 'workspace', 'received-1.json'), 'utf8')) as { line: { orphanPolicy: string } }).line.orphanPolicy;
    expect([lineOf(adopted), lineOf(bound)]).toEqual(['adopt', 'die']);
    await binding.destroy(bound, { force: true });
    const ended = await provider.observe(bound);
    expect(ended.phase).toBe('exited');
    expect(isRunning({ pid: 1, startTicks: '0', bootId: 'x' })).toBe(false);
  });
});

/** Holds the lock of a folder in a process of its own, as another replica would. */
const HOLD_LOCK = `
const { mkdirSync, statSync } = require('node:fs');
mkdirSync(process.env.FOLDER, { recursive: true });
const { dev, ino } = statSync(process.env.FOLDER);
require('node:net').createServer().listen('\\0plexus-vm-folder:' + dev + ':' + ino, () => console.log('held'));
`;

/** Starts a VM with the built provider and lives on, as a scheduler would. */
const START_AND_STAY = `
const [module, settings] = process.argv.slice(1);
const { LocalProvider } = await import(module);
const { vmId, epoch, ...options } = JSON.parse(settings);
const provider = new LocalProvider({ ...options, controlPlaneUrl: 'ws://127.0.0.1:1/ws/vm', environment: {}, log: console });
const { ref } = await provider.create({ vmId, epoch, userId: 'me', bootstrap: async () => ({ ticket: 't', token: 'k', bootstrapSecret: 's' }) });
console.log(ref.pid);
setInterval(() => {}, 60_000);
`;
