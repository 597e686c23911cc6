import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { repositoryRoot, startTestMesh, type TestMesh, throwAwayFolder, waitFor } from '@plexus/testing';
import { PlexusHttp } from '../src/http.js';

const root = repositoryRoot();
const example = (file: string): string => path.join(root, 'examples', file);
const has = (command: string, ...args: string[]): boolean => spawnSync(command, args, { stdio: 'ignore' }).status === 0;
const python = path.join(root, 'cache/nats-py');
/** A test that needs a program from outside, or that says by its name what was missing. */
const onlyWith = (there: boolean, what: string) => (name: string, run: () => void) => (there ? it(name, run) : it.skip(`${name} (${what} is not here)`, run));

describe('the examples, against the mesh of one `npm start`', () => {
  const scratch = throwAwayFolder('examples');
  let mesh: TestMesh;

  const run = (command: string, args: readonly string[], env: Record<string, string> = {}): string => {
    const options = { cwd: root, encoding: 'utf8', timeout: 170_000, env: { ...process.env, PLEXUS_STATE_DIR: mesh.stateDir, ...env } } as const;
    const { status, stdout, stderr, error } = spawnSync(command, args, options);
    if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}${error ? ` (${error.message})` : ''}\n${stdout}\n${stderr}`);
    return stdout;
  };
  const node = (file: string, env?: Record<string, string>): string => run(process.execPath, [example(file)], env);
  const plexus = (...args: string[]): string => run(process.execPath, [path.join(root, 'libs/cli/bin/plexus.mjs'), '--state', mesh.stateDir, ...args]);

  beforeAll(async () => {
    mesh = await startTestMesh();
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
        { timeoutMs: 120_000 },
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

  it('08 keeps two tenants apart, and leaves the platform as it was', () => {
    const before = plexus('--json', 'platform', 'show');
    const output = node('08-two-tenants/tenants.ts');
    expect(output).toContain('north finds 1, south finds 0');
    expect(output).toContain('south asks for its id: NOT_FOUND');
    expect(JSON.parse(plexus('--json', 'platform', 'show'))).toMatchObject({ document: (JSON.parse(before) as { document: object }).document });
  });
});
