import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { FakeClock, systemClock } from '@plexus/kernel';
import { startBridgeProcess } from '../src/adapters/openclaw/bridge-process.js';
import { defaultBridgeCommand } from '../src/adapters/openclaw/default-bridge.js';
import { OpenClawAdapter, type OpenClawAdapterOptions } from '../src/adapters/openclaw/openclaw-adapter.js';
import { RunCancelled } from '../src/application/execute-run.js';
import type { AgentPiece } from '../src/application/ports.js';
import { dataOf, type Running, runOf, turnOf } from './support/bridge-bench.js';
import { scratchFolder, until } from './support/runtime-process.js';

const SCRIPTED = [process.execPath, fileURLToPath(new URL('./support/scripted-bridge.mjs', import.meta.url))];
const GUIDE = fileURLToPath(new URL('../../../docs/guides/runtime-adapter.md', import.meta.url));

const folder = scratchFolder();
const adapters: OpenClawAdapter[] = [];
afterEach(() => Promise.all(adapters.splice(0).map((adapter) => adapter.close())));
afterAll(() => folder.remove());

function bench(options: Partial<OpenClawAdapterOptions> & { command?: readonly string[]; env?: Record<string, string> } = {}) {
  const logged: string[] = [];
  const told: unknown[] = [];
  const adapter = new OpenClawAdapter({
    start: (handlers) =>
      startBridgeProcess({ command: options.command ?? SCRIPTED, cwd: folder.path, env: options.env ?? { PATH: process.env.PATH ?? '' } }, handlers),
    calls: {
      request: async (sessionId, method, params) => ({ sessionId, method, params }),
      tell: async (...one) => void told.push(one),
    },
    log: (level, message, fields) => void logged.push(JSON.stringify({ level, message, ...fields })),
    workspaceOf: (id) => path.join(folder.path, id),
    modelOf: () => ({ provider: 'p', model: 'm', base_url: 'http://127.0.0.1:9/v1', api_key: 'the-model-key-8812' }),
    random: () => 0,
    ...options,
  });
  adapters.push(adapter);
  const session = adapter.start(dataOf('s1'));
  let runs = 0;
  const asks = (message: string): Running => runOf(session, turnOf(`r${++runs}`, 's1', { message }));
  return { adapter, session, asks, told, log: () => logged.join('\n') };
}

const textOf = (pieces: readonly AgentPiece[]): string => pieces.map((piece) => (piece.type === 'text' ? piece.text : '')).join('');

async function answer(run: Running): Promise<[string | undefined, string]> {
  await run.done;
  return [run.end, textOf(run.pieces)];
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // Gone, but not yet asked after by whoever has inherited it.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('a bridge process', () => {
  it('answers, asks the mesh, tells it, gives snapshots, and says its end twice without harm', async () => {
    const { asks, told, session } = bench();
    expect(await answer(asks('say hello there'))).toEqual(['complete', 'hello there']);
    expect(await answer(asks('ask where is it'))).toEqual(['complete', '{"sessionId":"s1","method":"memory_search","params":{"query":"where is it"}}']);
    expect(await answer(asks('tell it happened'))).toEqual(['complete', '']);
    expect(told).toEqual([['s1', 'audit_log', { event: 'it happened' }]]);
    expect(await answer(asks('twice'))).toEqual(['complete', 'once']);
    expect(await answer(asks('say next'))).toEqual(['complete', 'next']);
    expect(await session.snapshot?.()).toMatchObject({ checkpoint: { answered: 5 } });
  });

  it('finding 20: may say anything at all on stdout: it is logged by size, and the run goes on', async () => {
    const { asks, log } = bench();
    expect(await answer(asks('garbage'))).toEqual(['complete', 'still here']);
    await until('its last words on stderr', () => log().includes('what I know'));
    expect(log()).toMatch(/line of the bridge skipped.*"bytes":2097160/);
    expect(log()).not.toMatch(/no JSON|dance|abcdef-123456/);
  });

  it('that says more than is taken waits, and everything arrives in order', async () => {
    const { session } = bench();
    let text = '';
    for await (const piece of session.run(turnOf('r1', 's1', { message: 'flood 20000' }), new AbortController().signal)) {
      if (piece.type === 'text') text += piece.text;
      if (text.length % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(text).toBe(Array.from({ length: 20_000 }, (_, count) => `${count},`).join(''));
  });

  it('that exits in the middle of a run ends it with BRIDGE_EXITED, and the next message works', async () => {
    const { asks } = bench();
    expect(await answer(asks('die'))).toEqual(['BRIDGE_EXITED', 'half']);
    expect(await answer(asks('say back'))).toEqual(['complete', 'back']);
  });

  it('that closes its input and lives on is ended with the next thing it is told', async () => {
    const { adapter, asks, log } = bench({ command: ['/bin/sh', '-c', 'trap "" TERM; exec 0<&-; echo deaf >&2; while :; do sleep 1; done'] });
    const first = asks('x');
    await until('it to be deaf', () => log().includes('deaf'));
    const other = adapter.start(dataOf('s2'));
    let told = 0;
    await until('its end', () => {
      if (first.end === undefined) runOf(other, turnOf(`other-${told++}`, 's2'));
      return first.end !== undefined;
    });
    expect(first.end).toBe('BRIDGE_EXITED');
  });

  it('that leaves something behind which holds its output open has ended all the same', async () => {
    const { asks } = bench();
    const run = asks('daemon');
    const [end, pid] = await answer(run);
    process.kill(Number(pid), 'SIGKILL');
    expect(end).toBe('BRIDGE_EXITED');
  });

  it('that cannot be started ends the run with BRIDGE_EXITED, not the runtime', async () => {
    const { asks, log } = bench({ command: [path.join(folder.path, 'no-such-program')] });
    expect(await answer(asks('say x'))).toEqual(['BRIDGE_EXITED', '']);
    expect(log()).toContain('"code":127');
  });

  it('gets its keys on stdin, and nothing of them or of the runtime’s own in arguments or environment', async () => {
    const { asks } = bench({ env: { PATH: process.env.PATH ?? '', ASKED_FOR: 'yes' } });
    const [end, text] = await answer(asks('show'));
    const { argv, env, told } = JSON.parse(text) as { argv: string[]; env: Record<string, string>; told: string };
    expect([end, env.ASKED_FOR, env.HOME]).toEqual(['complete', 'yes', undefined]);
    expect(told).toContain('the-model-key-8812');
    expect(JSON.stringify([argv, env])).not.toContain('the-model-key-8812');
  });

  it('that ignores cancel and TERM is killed with all that it started, its run is cancelled, and the next message works', async () => {
    const clock = new FakeClock();
    const { asks } = bench({ clock });
    const stuck = asks('hang');
    await until('its process ids', () => stuck.pieces.length > 0);
    const pids = JSON.parse(textOf(stuck.pieces)) as number[];
    stuck.stop.abort(new RunCancelled('user'));
    await clock.advance(14_999);
    expect([stuck.end, isAlive(pids[0] as number)]).toEqual([undefined, true]);
    await clock.advance(1);
    await stuck.done;
    await until('its processes to be gone', () => !pids.some(isAlive));
    expect(stuck.end).toBe('cancelled');
    const next = asks('say alive');
    await until('the next bridge to be started', () => {
      void clock.advance(100);
      return next.end !== undefined;
    });
    expect([next.end, textOf(next.pieces)]).toEqual(['complete', 'alive']);
  });

  it('is gone with the runtime, also when that is killed', async () => {
    const { adapter, asks } = bench({ clock: systemClock });
    const stuck = asks('hang');
    await until('its process ids', () => stuck.pieces.length > 0);
    const pids = JSON.parse(textOf(stuck.pieces)) as number[];
    await adapter.close();
    await until('its processes to be gone', () => !pids.some(isAlive));
    expect((await answer(stuck))[0]).toBe('BRIDGE_EXITED');
  });

  it('is ended by its guard when the runtime was killed and could not do it', async () => {
    const program = path.join(folder.path, 'runtime-stand-in.mjs');
    const module = new URL('../dist/src/adapters/openclaw/bridge-process.js', import.meta.url).href;
    const message = JSON.stringify({ type: 'user_message', session_id: 's', run_id: 'r', data: { message: 'hang' } });
    writeFileSync(
      program,
      `import { startBridgeProcess } from ${JSON.stringify(module)};
      const child = startBridgeProcess({ command: ${JSON.stringify(SCRIPTED)}, cwd: '.', env: { PATH: process.env.PATH }, orphanGraceS: 1 }, {
        line: (line) => process.stdout.write(JSON.parse(line.text).content + '\\n'), stderr() {}, exit() {},
      });
      child.write(${JSON.stringify(`${message}\n`)});`,
    );
    const runtime = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    runtime.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    await until('the process ids of the bridge', () => said.endsWith('\n'));
    const pids = JSON.parse(said) as number[];
    expect(pids.map(isAlive)).toEqual([true, true]);
    runtime.kill('SIGKILL');
    await until('its processes to be gone', () => !pids.some(isAlive));
  });
});

describe('the bridges that exist', () => {
  it('the example of the guide works as it is printed there', async () => {
    const example = /```js\n(?<code>#!\/usr\/bin\/env node\n.*?)```/s.exec(readFileSync(GUIDE, 'utf8'))?.groups?.code ?? '';
    const file = path.join(folder.path, 'example-bridge.mjs');
    writeFileSync(file, example);
    const { asks, session } = bench({ command: [process.execPath, file] });
    expect(await answer(asks('count to three'))).toEqual([
      'complete',
      'You said: count to three. I remember: {"sessionId":"s1","method":"memory_search","params":{"query":"count to three"}}',
    ]);
    expect(await session.snapshot?.()).toMatchObject({ checkpoint: { said: ['count to three'] } });
    const slow = asks('wait');
    await until('its first words', () => slow.pieces.length > 0);
    slow.stop.abort(new RunCancelled('user'));
    expect((await answer(slow))[0]).toBe('cancelled');
    expect((await answer(asks('again')))[0]).toBe('complete');
  });

  it('the one for OpenClaw says what to install where OpenClaw is not', async () => {
    const { asks, session } = bench({ command: defaultBridgeCommand(), env: { PATH: path.dirname('/bin/sh'), OPENCLAW_BIN: path.join(folder.path, 'none') } });
    const run = asks('say x');
    await run.done;
    expect(run.end).toBe('OPENCLAW_NOT_INSTALLED');
    expect(await session.snapshot?.()).toBeUndefined();
  });
});
