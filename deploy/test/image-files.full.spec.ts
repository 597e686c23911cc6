import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, linkSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { createTestDatabase, startTestNats, startTestPostgres, type TestNats, type TestPostgres, throwAwayFolder, waitFor } from '@plexus/testing';
import { helmBinary, type KubernetesObject, render } from './support/helm.js';
import { variablesOf, workloads } from './support/pods.js';
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

const SECRET = 'kept-in-a-test-0123456789abcdef0123456789';
/** Without Helm there is no chart to ask. */
const LEAST: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  gateway: { GATEWAY_PORT: '0' },
  push: { PLEXUS_MASTER_KEY: SECRET },
  memory: { PLEXUS_MASTER_KEY: SECRET },
  scheduler: { PROVIDER: 'external', CONTROL_PLANE_WS: 'ws://gateway/ws/vm', VM_TOKEN_SECRET: SECRET },
};

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
  let chart: KubernetesObject[] = [];

  beforeAll(async () => {
    ({ collect } = (await import(pathToFileURL(path.join(root, 'deploy/images/collect.mjs')).href)) as { collect: Collect });
    const settings = [
      'vms.provider={external}',
      'secrets.gatewayToken.existingSecret=t',
      'services.channel-webhook.enabled=true',
      'services.channel-slack.enabled=true',
    ];
    if (helmBinary() !== undefined) chart = await render('default', ...settings.flatMap((setting) => ['--set', setting]));
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

  /** What the chart gives to a service, with the servers of this test and files for its secrets; without Helm the least that it needs. */
  function environmentOf(name: string): Record<string, string> {
    const file = (secret: string): string => {
      const place = path.join(folder.path, `secret-${secret.replaceAll('/', '-')}`);
      writeFileSync(place, `${secret}-0123456789abcdef0123456789abcdef\n`);
      return place;
    };
    const deployment = workloads(chart).find(({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === name);
    const given = deployment === undefined ? LEAST[name] : Object.fromEntries(variablesOf(deployment.spec.template.spec.containers[0]));
    const ports = Object.keys(given ?? {}).filter((variable) => variable.endsWith('_PORT'));
    const files = Object.entries(given ?? {}).filter(([, value]) => value.startsWith('/run/secrets/plexus/'));
    return {
      ...given,
      ...Object.fromEntries(files.map(([variable, value]) => [variable, file(value.replace('/run/secrets/plexus/', ''))])),
      ...environment,
      ...Object.fromEntries([...ports, 'INTERNAL_PORT'].map((variable) => [variable, '0'])),
      NODE_ENV: 'production',
      PROPAGATION_DELAY_MS: '0',
    };
  }

  it.each([
    ['gateway', 'services/gateway'],
    ['routing', 'services/routing'],
    ['push', 'services/push'],
    ['memory', 'services/memory'],
    ['scheduler', 'services/scheduler'],
    ['channel-webhook', 'services/channels'],
    ['channel-slack', 'services/channels'],
  ])(
    'of %s are enough for it to become ready as the chart starts it, without a right to write any of them',
    async (name, project) => {
      const image = path.join(folder.path, path.basename(project));
      if (name !== 'channel-slack') imageOf(project);
      const script = facts[name]?.command ?? `${project}/dist/src/main.js`;
      const tmp = tmpOf(name);
      const telemetry = path.join(image, 'libs/telemetry/dist/src/register.js');
      const env = { ...environmentOf(name), HOME: tmp, TMPDIR: tmp };
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
      const { port } = new URL(http as string);
      expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
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
