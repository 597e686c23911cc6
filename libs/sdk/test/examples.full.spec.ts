import { execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { jest } from '@jest/globals';
import { repositoryRoot, startFakeOpenAi, startOpenClawGateway, startTestMesh, type TestMesh, throwAwayFolder, waitFor } from '@plexus/testing';
import { PlexusHttp } from '../src/http.js';

const root = repositoryRoot();
const example = (file: string): string => path.join(root, 'examples', file);
const has = (command: string, ...args: string[]): boolean => spawnSync(command, args, { stdio: 'ignore' }).status === 0;
const python = path.join(root, 'cache/nats-py');
/** A test that needs a program from outside, or that says by its name what was missing. */
const onlyWith = (there: boolean, what: string) => (name: string, run: () => void) => (there ? it(name, run) : it.skip(`${name} (${what} is not here)`, run));

// Each is a program or several of them.
jest.setTimeout(480_000);

describe('the examples, against the mesh of one `npm start`', () => {
  const scratch = throwAwayFolder('examples');
  let mesh: TestMesh;

  const run = (command: string, args: readonly string[], env: Record<string, string> = {}): string => {
    const options = { cwd: root, encoding: 'utf8', timeout: 400_000, env: { ...process.env, PLEXUS_STATE_DIR: mesh.stateDir, ...env } } as const;
    const { status, stdout, stderr, error } = spawnSync(command, args, options);
    if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}${error ? ` (${error.message})` : ''}\n${stdout}\n${stderr}`);
    return stdout;
  };
  const node = (file: string, env?: Record<string, string>): string => run(process.execPath, [example(file)], env);
  /** Like {@link node}, while what this process runs goes on: the mesh starts channels when they are configured. */
  const later = async (file: string, env: Record<string, string> = {}): Promise<string> => {
    const { stdout } = await promisify(execFile)(process.execPath, [example(file)], {
      cwd: root,
      timeout: 400_000,
      env: { ...process.env, PLEXUS_STATE_DIR: mesh.stateDir, ...env },
    });
    return stdout;
  };
  const plexus = (...args: string[]): string => run(process.execPath, [path.join(root, 'libs/cli/bin/plexus.mjs'), '--state', mesh.stateDir, ...args]);

  beforeAll(async () => {
    mesh = await startTestMesh({ env: { PROVIDER: 'local,external' } });
  });

  afterAll(async () => {
    await mesh?.stop();
    scratch.remove();
  });

  it('01 publishes from TypeScript, and twice is once', () => {
    expect(node('01-publish/publish.ts')).toMatch(/duplicate: false[\s\S]*duplicate: true/);
  });

  it('01 publishes from a shell with nothing but a socket', () => {
    expect(run('bash', [example('01-publish/publish-plain.sh')])).toMatch(/stored: .*"stream":"PLEXUS_IN"/);
  });

  onlyWith(has('nats', '--version'), 'the nats command')('01 publishes with the nats command', () => {
    expect(run('bash', [example('01-publish/publish.sh')])).toContain('PLEXUS_IN');
  });

  onlyWith(existsSync(python), 'nats-py')('01 publishes from Python', () => {
    expect(run('python3', [example('01-publish/publish.py')], { PYTHONPATH: python })).toMatch(/^stored as PLEXUS_IN \d+/);
  });

  onlyWith(existsSync(path.join(root, 'cache/go-example')), 'the Go example, which `npm run pretest:full` builds where Go is,')('01 publishes from Go', () => {
    expect(run(path.join(root, 'cache/go-example'), [])).toMatch(/^stored as PLEXUS_IN \d+/);
  });

  it('02 sees facts as they happen, and keeps them at least once', async () => {
    expect(plexus('integrator', 'consumer', 'demo', 'session')).toContain('is there now');
    const watcher = spawn(process.execPath, [example('02-subscribe/subscribe.ts')], { cwd: root, env: { ...process.env, PLEXUS_STATE_DIR: mesh.stateDir } });
    let output = '';
    for (const stream of [watcher.stdout, watcher.stderr]) {
      stream.on('data', (text: Buffer) => {
        output += text;
      });
    }
    const ended = new Promise((resolve) => watcher.once('exit', resolve));
    const http = new PlexusHttp({ baseUrl: mesh.gateway.http, token: mesh.token });
    try {
      await waitFor(() => output.includes('watching'));
      // A subscription is known to the server a moment after the program says so: talk until it has heard something.
      await waitFor(
        async () => {
          if (watcher.exitCode === null) await http.chat.send({ message: 'hello' });
          return watcher.exitCode !== null;
        },
        { timeoutMs: 300_000 },
      );
      expect([await ended, output]).toEqual([0, expect.stringMatching(/dropped 0, kept [1-9]/)]);
      for (const line of [/^passing /m, /^kept {4}/m]) expect(output).toMatch(line);
    } finally {
      watcher.kill('SIGKILL');
      await ended;
    }
  });

  it('03 calls a service on behalf of a user', () => {
    const output = node('03-call/call.ts', { PLEXUS_USER_TOKEN: plexus('token', 'mint', '--user', 'me').trim() });
    expect(output).toContain('agents: main');
    expect(output).toMatch(/telegram 4711 → agent:main:/);
    expect(output).toContain('without a good token: UNAUTHENTICATED');
  });

  it('04 decides by a policy with tests, and says why', () => {
    const output = node('04-push-with-a-policy/push.ts');
    expect(output).toMatch(/2 tests passed/);
    expect(output).toMatch(/fire: sent\./);
    expect(output).toMatch(/half: (grouped|deferred|pending|aggregated)\./);
  });

  it('05 remembers and finds', () => {
    const output = node('05-memory/memory.ts');
    expect(output).toContain('PostgreSQL数据库 → 用户偏好使用PostgreSQL数据库');
    expect(output).toContain('heron cluster → The staging cluster is called heron.');
  });

  it('06 connects a chat of its own: one message in, one answer out, whatever is repeated', async () => {
    const output = await later('06-channel-adapter/adapter.ts');
    expect(output).toMatch(/^ada: Is anybody here\? [\s\S]*^agent: .*Is anybody here\?/m);
    expect(output).toContain('the answer came twice and was shown once');
    expect(output).toContain('in the transcript 1 time(s)');
  });

  it('07 lets an agent program of its own answer, with a tool call', async () => {
    const output = await later('07-runtime-agent/try.ts');
    expect(output).toMatch(/connected[\s\S]*\[memory_search: start\][\s\S]*\[memory_search: result\]/);
    expect(output).toContain('final: I have read 5 words. I remember: The blue kettle stands in cabinet 12.');
  });

  it('08 keeps two tenants apart, and leaves the platform as it was', () => {
    const before = plexus('--json', 'platform', 'show');
    const output = node('08-two-tenants/tenants.ts');
    expect(output).toContain('north finds 1, south finds 0');
    expect(output).toContain('south asks for its id: NOT_FOUND');
    expect(JSON.parse(plexus('--json', 'platform', 'show'))).toMatchObject({ document: (JSON.parse(before) as { document: object }).document });
  });

  // Starting the package takes most of a minute: by default the mesh's own gateway stands in, as the example says.
  const bin = process.env.OPENCLAW_BIN;
  it(`09 uses ${bin === undefined ? 'a gateway' : 'a real OpenClaw gateway'} that is there already`, async () => {
    const model = bin === undefined ? undefined : await startFakeOpenAi();
    const real = bin === undefined || model === undefined ? undefined : await startOpenClawGateway(bin, model.baseUrl);
    try {
      const output = await later('09-openclaw-upstream/upstream.ts', real === undefined ? {} : { OPENCLAW_URL: real.ws, OPENCLAW_TOKEN: real.token });
      expect(output).toContain(real === undefined ? 'no OPENCLAW_URL' : `the OpenClaw gateway at ${real.ws}`);
      expect(output).toMatch(/research: ok[\s\S]* is sent over upstream\/example/);
      expect(output).toContain('in its history: the question true, the notice true');
    } finally {
      await real?.stop();
      await model?.stop();
    }
  });

  it('10 takes over a single OpenClaw gateway, says what it leaves, and puts everything back', async () => {
    const before = plexus('config', 'get');
    const output = await later('10-migrate-from-openclaw/migrate.ts');
    expect(output).toMatch(/Not taken over\n {2}channels\.whatsapp: /);
    expect(output).toContain('TELEGRAM_OFFICE_BOT_TOKEN  (channels.telegram.accounts.office.botToken)');
    expect(output).toContain('imported agent:main:telegram:group:-1001234: 2 messages');
    expect(output).toContain('imported once more: nothing changed');
    expect(output).toContain('2026-11-17T10:00:04.000Z assistant: Green since 09:58.');
    for (const secret of ['that-nobody-has', 'example-of-a-gateway-token']) expect(output).not.toContain(secret);
    expect(plexus('config', 'get')).toBe(before);
    expect(plexus('audit', 'ls', '--action', 'import')).toContain('import.openclaw');
  });

  it('10 refuses what is no OpenClaw gateway, and touches nothing', () => {
    const before = plexus('config', 'get');
    const folder = path.join(scratch.path, 'broken');
    mkdirSync(path.join(folder, 'agents/main/sessions'), { recursive: true });
    writeFileSync(path.join(folder, 'openclaw.json'), '{ agents: { list: [{ id: "late" }] } }');
    writeFileSync(path.join(folder, 'agents/main/sessions/sessions.json'), '{ "agent:main:main": ');
    for (const wrong of [folder, path.join(folder, 'agents'), path.join(folder, 'nothing')]) {
      const args = [path.join(root, 'libs/cli/bin/plexus.mjs'), '--state', mesh.stateDir, '--json', 'import', 'openclaw', wrong];
      const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      expect([status, (JSON.parse(stdout) as { error: { code: string } }).error.code]).toEqual([4, 'IMPORT_REJECTED']);
    }
    expect(plexus('config', 'get')).toBe(before);
  });
});
