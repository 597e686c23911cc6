import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { FakeClock, systemClock } from '@plexus/kernel';
import { execTool } from '../src/adapters/tools/exec-tool.js';
import type { Tool, ToolContext, ToolProcess } from '../src/application/ports.js';
import { scratchFolder, until } from './support/runtime-process.js';

let folder: ReturnType<typeof scratchFolder>;
let workspace: string;
let stop: AbortController;
let children: ToolProcess[];

beforeEach(() => {
  folder = scratchFolder();
  workspace = path.join(folder.path, 'workspace');
  mkdirSync(workspace);
  stop = new AbortController();
  children = [];
});
afterEach(async () => {
  for (const child of children) {
    child.kill('SIGKILL');
    await child.exited;
  }
  folder.remove();
});

const context = (): ToolContext => ({ sessionId: 's', runId: 'r', workspace, signal: stop.signal, onProcess: (child) => void children.push(child) });
const exec: Tool = execTool({ PATH: process.env.PATH ?? '', GREETING: 'hi' }, systemClock);
const run = (command: string, extra: object = {}, tool = exec): ReturnType<Tool['run']> => tool.run({ command, ...extra }, context());

/** Whether a process with that number still does something. */
function isAlive(pid: number): boolean {
  if (!existsSync(`/proc/${pid}/stat`)) return false;
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    // It went while we looked.
    return false;
  }
}
const pidIn = (file: string): number => Number(readFileSync(path.join(workspace, file), 'utf8'));
const written = (file: string) => (): boolean => existsSync(path.join(workspace, file)) && readFileSync(path.join(workspace, file), 'utf8').endsWith('\n');

describe('exec', () => {
  it('says how a command ended and what it wrote on both outputs, in the workspace and with its environment', async () => {
    expect(await run('echo "$GREETING $PWD"; echo err >&2')).toEqual({ content: `Exit code 0.\nhi ${workspace}\nerr\n` });
    expect(await run('exit 3')).toEqual({ content: 'Exit code 3. No output.', isError: true });
    expect(await run('kill -9 $$')).toEqual({ content: 'It was ended by SIGKILL. No output.', isError: true });
  });

  it('takes commands with quotes and lines as they are, and gives them no input', async () => {
    expect((await run(`cat; printf '%s' "it's"\necho '"$HOME"'`)).content).toBe('Exit code 0.\nit\'s"$HOME"\n');
  });

  it('keeps head and tail of endless output', async () => {
    const { content } = await run('seq 1 200000');
    expect(content.length).toBeLessThan(31_000);
    expect(content).toMatch(/^Exit code 0\.\n1\n2\n[\s\S]* characters left out [\s\S]*\n199999\n200000\n$/);
  });

  it('ends a command whose time is up, with TERM and then KILL', async () => {
    const clock = new FakeClock();
    const tool = execTool({ PATH: process.env.PATH ?? '' }, clock);
    const running = run(`trap '' TERM; echo $$ > pid; while :; do sleep 1; done`, { timeout_seconds: 7 }, tool);
    await until('the command', written('pid'));
    await clock.advance(7_000);
    expect(isAlive(pidIn('pid'))).toBe(true);
    await clock.advance(5_000);
    await until('the end of the command', () => !isAlive(pidIn('pid')));
    // The output may be held open by nobody now; the time to wait for it is the fake clock's.
    await clock.advance(1_000);
    expect(await running).toEqual({ content: 'It was ended after 7 s, its time limit. No output.', isError: true });
  });

  it('leaves nothing of its group behind', async () => {
    expect((await run('sleep 1000 & echo $! > pid; echo started')).content).toBe('Exit code 0.\nstarted\n');
    await until('the end of what it left running', () => !isAlive(pidIn('pid')));
  });

  it('interrupts the group at once when it is aborted, and kills it when asked to', async () => {
    const polite = run('echo $$ > pid; sleep 1000');
    await until('the command', written('pid'));
    stop.abort();
    expect((await polite).isError).toBe(true);
    expect(isAlive(pidIn('pid'))).toBe(false);
    stop = new AbortController();
    const stubborn = run(`trap '' INT TERM; (trap '' INT TERM; while :; do sleep 1; done) & echo $! > child; echo $$ > stubborn; while :; do sleep 1; done`);
    await until('the command', written('stubborn'));
    stop.abort();
    children.at(-1)?.kill('SIGTERM');
    expect(isAlive(pidIn('stubborn'))).toBe(true);
    children.at(-1)?.kill('SIGKILL');
    await stubborn;
    await until('the end of both', () => !isAlive(pidIn('stubborn')) && !isAlive(pidIn('child')));
  });

  it('runs in a folder of the workspace and in no other', async () => {
    mkdirSync(path.join(workspace, 'sub'));
    expect((await run('pwd', { folder: 'sub' })).content).toContain(`${workspace}/sub\n`);
    expect(await run('pwd', { folder: '..' })).toMatchObject({ isError: true, content: expect.stringContaining('outside') });
    expect(await run('pwd', { folder: 'nowhere' })).toMatchObject({ isError: true, content: expect.stringContaining('could not be started') });
  });

  it.each([[{}], [{ command: '' }], [{ command: 5 }], [{ command: 'x', timeout_seconds: 100_000 }], [null]])(
    'answers the input %j with what is wrong',
    async (input) => {
      expect(await exec.run(input, context())).toMatchObject({ isError: true, content: expect.stringMatching(/^The input cannot be used\./) });
    },
  );
});
