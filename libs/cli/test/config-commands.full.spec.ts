import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createPool } from '@plexus/database';
import { startTestMesh, type TestMesh, waitFor } from '@plexus/testing';
import { plexus } from './plexus.js';
import { attempts } from './random-config.js';
import { tryConfigs } from './try-configs.js';

interface Written {
  readonly revision: number;
  readonly changed: boolean;
  readonly changedPaths: string[];
  readonly outcome?: string;
}

describe('the configuration of a running mesh', () => {
  let mesh: TestMesh;
  beforeAll(async () => {
    mesh = await startTestMesh();
  }, 180_000);
  afterAll(async () => {
    await mesh?.stop();
  }, 180_000);

  const run = (...args: string[]) => plexus(['--state', mesh.stateDir, '--json', ...args]);
  const text = (...args: string[]) => plexus(['--state', mesh.stateDir, ...args]);
  const file = (name: string, content: string): string => {
    const target = path.join(mesh.stateDir, name);
    writeFileSync(target, content);
    return target;
  };
  const converged = () =>
    waitFor(async () => (await run('config', 'status')).code === 0, { timeoutMs: 60_000, what: 'every process to run with the newest configuration' });

  it('is applied from a file with its comments, reaches every process, and comes back byte for byte', async () => {
    const source = "// by hand\n{agents: {list: [{id: 'main', default: true}, {id: 'ops'}]}}\n";
    const applied = await run('config', 'apply', file('one.json5', source), '--comment', 'first');
    expect([applied.code, applied.json<Written>().changed]).toEqual([0, true]);
    expect((await text('config', 'get')).out).toBe(`${source}\n`);
    await converged();
    const status = (await run('config', 'status')).json<{ replicas: { service: string }[] }>();
    expect([...new Set(status.replicas.map(({ service }) => service))].sort()).toEqual(
      expect.arrayContaining(['gateway', 'memory', 'push', 'routing', 'scheduler']),
    );
    const agents = await fetch(`${mesh.gateway.http}/v1/config`, { headers: { authorization: `Bearer ${mesh.token}`, accept: 'application/json5' } });
    expect(await agents.text()).toBe(source);
    const again = await fetch(`${mesh.gateway.http}/v1/config`, {
      headers: { authorization: `Bearer ${mesh.token}`, 'if-none-match': agents.headers.get('etag') ?? '' },
    });
    expect(again.status).toBe(304);
  }, 180_000);

  it('is changed setting by setting, compared, listed and rolled back', async () => {
    const before = (await run('config', 'get')).json<{ revision: number; text: string }>();
    expect((await run('config', 'set', 'session.dmScope', 'per-peer')).json<Written>().changedPaths).toEqual(['session']);
    expect((await run('config', 'get', 'session.dmScope')).json()).toBe('per-peer');
    const diff = await run('config', 'diff', '--from', String(before.revision));
    expect([diff.code, diff.json()]).toEqual([4, [{ path: 'session', after: { dmScope: 'per-peer' } }]]);
    expect((await run('config', 'set', 'agents.list.1.name', "'Night shift'")).code).toBe(0);
    expect((await run('config', 'unset', 'session')).code).toBe(0);
    const patch = file('patch.json', '{"defaultOwner": "ada"}');
    expect((await run('config', 'patch', patch)).json<Written>().changedPaths).toEqual(['defaultOwner']);
    const history = (await run('config', 'history', '--limit', '5')).json<{ kind: string; by: string; comment?: string }[]>();
    expect(history[0]).toMatchObject({ kind: 'patch', by: 'me' });
    expect((await run('config', 'rollback', String(before.revision))).code).toBe(0);
    expect((await run('config', 'get')).json<{ text: string }>().text).toBe(before.text);
    expect((await run('config', 'rollback', '999999')).json<{ error: { code: string } }>().error.code).toBe('NOT_FOUND');
    expect((await run('config', 'apply', patch, '--base', String(before.revision))).json<{ error: { code: string } }>().error.code).toBe('CONFLICT');
  }, 180_000);

  it('refuses what is invalid with every issue, over the command and over HTTP', async () => {
    const broken = file('broken.json5', "{agents: {list: [{id: 'Main'}]}, surprise: 1}");
    const refused = await text('config', 'apply', broken);
    expect(refused.code).toBe(4);
    expect(refused.err).toContain('agents.list.0.id');
    expect(refused.err).toContain('surprise');
    const call = (method: string, url: string, body: string, headers: Record<string, string> = {}) =>
      fetch(`${mesh.gateway.http}/v1/config${url}`, {
        method,
        body,
        headers: { authorization: `Bearer ${mesh.token}`, 'content-type': 'application/json', ...headers },
      });
    const put = await call('PUT', '', '{"surprise":1}', { 'if-match': '*' });
    expect([put.status, ((await put.json()) as { code: string }).code]).toEqual([422, 'CONFIG_REJECTED']);
    expect((await call('PUT', '', '{}')).status).toBe(400);
    const stale = await call('PATCH', '', '{"defaultOwner":"x"}', { 'if-match': `"1-${'0'.repeat(64)}"` });
    expect(stale.status).toBe(409);
    const checked = await call('POST', '/check', '{"patch":{"surprise":1}}');
    expect(await checked.json()).toMatchObject({ valid: false, issues: [{ path: 'surprise' }] });
    const reader = (await run('token', 'mint', '--user', 'reader', '--scopes', 'operator.read')).json<{ token: string }>().token;
    const denied = await call('PUT', '', '{}', { 'if-match': '*', authorization: `Bearer ${reader}` });
    expect([denied.status, ((await denied.json()) as { code: string }).code]).toEqual([403, 'MISSING_SCOPE']);
  }, 180_000);

  it('has agents, bindings and models that people add and remove by name', async () => {
    expect((await run('agents', 'add', 'sales', '--name', 'Sales')).code).toBe(0);
    expect((await run('agents', 'add', 'sales')).json<{ error: { code: string } }>().error.code).toBe('CONFLICT');
    expect((await run('agents', 'update', 'sales', '--system-prompt', 'Sell.', '--unset', 'name')).code).toBe(0);
    const match = ['--channel', 'telegram', '--peer', 'group:-100'];
    expect((await run('bind', 'sales', ...match)).json<Written>().outcome).toBe('added');
    const skipped = await text('bind', 'sales', ...match);
    expect([skipped.code, skipped.out]).toEqual([0, expect.stringContaining('Skipped')]);
    const conflict = await text('bind', 'ops', ...match);
    expect([conflict.code, conflict.err]).toEqual([1, expect.stringMatching(/sales[\s\S]*--force/)]);
    expect((await run('bind', 'ops', ...match, '--force')).json<Written>().outcome).toBe('replaced');
    expect((await run('binds', 'ls')).json()).toEqual([{ agentId: 'ops', match: { channel: 'telegram', peer: { kind: 'group', id: '-100' } } }]);
    expect((await run('agents', 'rm', 'ops')).json<{ error: { code: string } }>().error.code).toBe('CONFLICT');
    expect((await run('unbind', ...match)).code).toBe(0);
    expect((await run('agents', 'rm', 'ops')).code).toBe(0);
    expect((await run('agents', 'ls')).json<{ id: string }[]>().map(({ id }) => id)).toEqual(['main', 'sales']);
    expect((await run('model', 'add', 'acme/small', '--base-url', 'https://models.test/v1', '--api-key-env', 'ACME_KEY', '--default')).code).toBe(0);
    expect((await run('model', 'ls')).out).not.toContain('sk-');
    expect((await run('config', 'get', 'models.default')).json()).toBe('acme/small');
    expect((await run('config', 'unset', 'models')).code).toBe(0);
  }, 180_000);

  it('has lists of any length that are compared entry by entry, and may be larger than a message', async () => {
    const before = (await run('config', 'get')).json<{ text: string }>().text;
    const long = 'Be brief. '.repeat(150);
    const agents = (prompt: string) => ({ list: Array.from({ length: 900 }, (_, n) => ({ id: `a${n}`, systemPrompt: n === 7 ? prompt : `${long}${n}` })) });
    const large = file('large.json5', JSON.stringify({ agents: agents(`${long}old`) }));
    expect((await run('config', 'apply', large, '--force')).code).toBe(0);
    expect((await run('agents', 'update', 'a7', '--system-prompt', `${long}new`)).json<Written>().changedPaths).toEqual(['agents.list']);
    expect((await run('config', 'diff', large)).json()).toEqual([expect.objectContaining({ path: 'agents.list' })]);
    const nine = (prompt: string) => ({ agents: { list: agents(prompt).list.slice(0, 9) } });
    expect((await run('config', 'apply', file('nine.json5', JSON.stringify(nine(`${long}old`))), '--force')).code).toBe(0);
    const diff = await text('config', 'diff', file('other.json5', JSON.stringify(nine(`${long}new`))));
    expect([diff.code, diff.out.split('\n').filter((line) => line !== '')]).toEqual([
      4,
      ['agents.list', `  - {"id":"a7","systemPrompt":"${long}old"}`, `  + {"id":"a7","systemPrompt":"${long}new"}`],
    ]);
    expect((await run('config', 'apply', file('before.json5', before), '--force')).code).toBe(0);
  }, 180_000);

  it('is followed from the file in the state folder, and written back to it', async () => {
    const followed = file('plexus.json5', "{agents: {list: [{id: 'main', default: true}, {id: 'filed'}]}} // a file\n");
    await waitFor(async () => (await run('config', 'get')).json<{ text: string }>().text.includes('filed'), {
      timeoutMs: 60_000,
      what: 'the file to be in force',
    });
    expect((await run('config', 'history', '--limit', '1')).json<{ comment?: string }[]>()[0]?.comment).toBe('file plexus.json5');
    await run('config', 'set', 'defaultOwner', 'ada');
    await waitFor(() => readFileSync(followed, 'utf8').includes('ada'), { timeoutMs: 60_000, what: 'the change to be in the file' });
  }, 150_000);

  it('survives random documents and patches: no process ends, every refusal names path and reason', async () => {
    const before = mesh.pids();
    const counts = await tryConfigs(mesh, attempts(60, 20_261_121));
    expect(counts.accepted).toBeGreaterThan(10);
    expect(counts.rejected).toBeGreaterThan(5);
    await converged();
    expect(mesh.pids()).toEqual(before);
  }, 180_000);

  it('reaches running VMs: their sessions are told of a changed prompt and have acknowledged it', async () => {
    await run('config', 'apply', file('agents.json5', "{agents: {list: [{id: 'main', default: true}]}}"), '--force');
    await converged();
    const sent = await fetch(`${mesh.gateway.http}/v1/chat/send`, {
      method: 'POST',
      headers: { authorization: `Bearer ${mesh.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ sessionKey: 'agent:main:config', message: 'hello' }),
    });
    expect(sent.status).toBe(202);
    const database = createPool({ url: mesh.databaseUrl, schema: 'scheduler', applicationName: 'spec', max: 1 });
    try {
      await waitFor(async () => (await database.query('sessions', `SELECT 1 FROM vm_sessions WHERE agent_id = 'main'`, [])).length > 0, {
        timeoutMs: 60_000,
        what: 'a session in a VM',
      });
      expect((await run('agents', 'update', 'main', '--system-prompt', 'Answer in verse.')).code).toBe(0);
      const [row] = await waitFor(
        async () => {
          const rows = await database.query<{ body: { data: { agent_config: object } } }>(
            'updates',
            `SELECT body FROM vm_outbox WHERE type = 'config_update' AND acked_at IS NOT NULL`,
            [],
          );
          return rows.length > 0 ? rows : undefined;
        },
        { timeoutMs: 60_000, what: 'an acknowledged config_update' },
      );
      expect(row?.body.data.agent_config).toEqual({ system_prompt: 'Answer in verse.', model: null });
    } finally {
      await database.close();
    }
  }, 150_000);

  it('restarts exactly the service that cannot change at run time, in order, and says so meanwhile', async () => {
    await converged();
    const before = mesh.pids();
    const written = await run('config', 'set', 'plugins.load.paths', "['/opt/plugins']");
    expect(written.json<Written>().changed).toBe(true);
    await waitFor(() => mesh.pids().gateway !== undefined && mesh.pids().gateway !== before.gateway, { timeoutMs: 60_000, what: 'another gateway' });
    await mesh.whole(60_000);
    await converged();
    expect({ ...mesh.pids(), gateway: 0 }).toEqual({ ...before, gateway: 0 });
    const log = readFileSync(path.join(mesh.stateDir, 'logs', 'gateway.log'), 'utf8');
    expect(log).toContain('restarts as its configuration asks');
    expect(log).toContain('a restart of this process is needed');
  }, 150_000);
});
