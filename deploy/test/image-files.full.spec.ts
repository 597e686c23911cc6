import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, linkSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { createTestDatabase, startTestNats, startTestPostgres, type TestNats, type TestPostgres, throwAwayFolder, waitFor } from '@plexus/testing';
import { readFacts, root } from './support/repository.js';

const exec = promisify(execFile);
const facts = readFacts();
/** Somebody who owns none of the files: then they are as read-only as in an image. Only root can become him. */
const NOBODY = 65_534;
const asNobody = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};

/** Linked, since nothing changes them; copied where the folder is on another disk. */
function put(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to); // another device
  }
}

type Collect = (project: string, folder: string, put: (from: string, to: string) => void) => string[];

/** What is collected for an image is what its programs run from, and nothing else of this repository. */
describe('the files of the images', () => {
  const folder = throwAwayFolder('images');
  const node = path.join(folder.path, 'node');
  const running: ChildProcess[] = [];
  let nats: TestNats;
  let postgres: TestPostgres;
  let environment: Record<string, string>;
  let collect: Collect;

  beforeAll(async () => {
    ({ collect } = (await import(pathToFileURL(path.join(root, 'deploy/images/collect.mjs')).href)) as { collect: Collect });
    chmodSync(folder.path, 0o755);
    [nats, postgres] = await Promise.all([startTestNats(), startTestPostgres()]);
    const { url } = await createTestDatabase();
    environment = { NATS_URL: nats.url, DATABASE_URL: url, MEMORY_DATABASE_URL: url };
    // Node itself may be where nobody else reaches it.
    put(process.execPath, node);
  }, 180_000);
  afterAll(async () => {
    for (const child of running) child.kill('SIGKILL');
    await nats?.stop();
    await postgres?.stop();
    folder.remove();
  });

  function imageOf(project: string): string {
    const image = path.join(folder.path, path.basename(project));
    collect(project, image, put);
    return image;
  }

  /** A folder that its process may write to, as /tmp in a Pod. */
  function tmpOf(name: string): string {
    const tmp = path.join(folder.path, `tmp-${name}`);
    mkdirSync(tmp, { mode: 0o777 });
    chmodSync(tmp, 0o777);
    return tmp;
  }

  it('of the plexus command are enough for migrations, the stream plan and the platform document', async () => {
    const image = imageOf('libs/cli');
    writeFileSync(path.join(folder.path, 'platform.json'), JSON.stringify({ tenants: { acme: {} } }));
    const plexus = (...args: string[]) =>
      exec(node, [path.join(image, 'libs/cli/bin/plexus.mjs'), ...args], {
        cwd: image,
        env: { ...environment, HOME: tmpOf(args.join('-').replaceAll('/', '_')) },
        timeout: 120_000,
        ...asNobody,
      });
    expect((await plexus('db', 'migrate', '--json')).stdout).toContain('"service":"scheduler"');
    await plexus('nats', 'apply', '--replicas', '1', '--max-bytes', '16777216');
    expect((await plexus('platform', 'apply', path.join(folder.path, 'platform.json'))).stdout).toContain('is written');
    expect((await plexus('nats', 'plan', '--max-bytes', '16777216')).stdout).toContain('Nothing to do');
  }, 300_000);

  it.each([
    ['gateway', 'services/gateway', { GATEWAY_PORT: '0' }],
    ['routing', 'services/routing', {}],
    ['push', 'services/push', { PLEXUS_MASTER_KEY: 'kept-in-a-test-0123456789abcdef0123456789' }],
    ['memory', 'services/memory', { PLEXUS_MASTER_KEY: 'kept-in-a-test-0123456789abcdef0123456789' }],
    [
      'scheduler',
      'services/scheduler',
      { PROVIDER: 'external', CONTROL_PLANE_WS: 'ws://gateway/ws/vm', VM_TOKEN_SECRET: 'kept-in-a-test-0123456789abcdef0123456789' },
    ],
    ['channel-webhook', 'services/channels', { CHANNEL_HTTP_PORT: '0' }],
    ['channel-slack', 'services/channels', { CHANNEL_HTTP_PORT: '0' }],
  ])(
    'of %s are enough for it to become ready, without a right to write any of them',
    async (name, project, more) => {
      const image = path.join(folder.path, path.basename(project));
      if (name !== 'channel-slack') imageOf(project);
      const script = facts[name]?.command ?? `${project}/dist/src/main.js`;
      const tmp = tmpOf(name);
      const env = {
        ...environment,
        ...more,
        NODE_ENV: 'production',
        HOME: tmp,
        TMPDIR: tmp,
        INTERNAL_PORT: '0',
        SHUTDOWN_TIMEOUT_MS: '10000',
      };
      const telemetry = path.join(image, 'libs/telemetry/dist/src/register.js');
      const child = spawn(node, ['--import', pathToFileURL(telemetry).href, script], {
        cwd: image,
        env,
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        ...asNobody,
      });
      running.push(child);
      let said = '';
      for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4_000)));
      let http: string | undefined;
      child.on('message', (message: { type?: string; http?: string }) => {
        if (message.type === 'ready') http = message.http;
      });
      await waitFor(() => http !== undefined || child.exitCode !== null, { what: `${name} to be ready or to end`, timeoutMs: 120_000 });
      expect({ name, exitCode: child.exitCode, said: child.exitCode === null ? '' : said }).toEqual({ name, exitCode: null, said: '' });
      expect((await fetch(`${http}/readyz`)).status).toBe(200);
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      expect(await ended).toBe(0);
    },
    300_000,
  );

  it('of the runtime are enough for it to ask for what it must be given', async () => {
    const image = imageOf('services/runtime');
    const child = spawn(node, [path.join(image, 'services/runtime/dist/src/main.js')], { cwd: image, env: {}, stdio: ['pipe', 'ignore', 'pipe'], ...asNobody });
    running.push(child);
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.stdin.end('{}\n');
    await new Promise((resolve) => child.once('close', resolve));
    expect(said).toContain('the runtime cannot start');
    expect(said).toContain('CONTROL_PLANE_WS');
  });
});
