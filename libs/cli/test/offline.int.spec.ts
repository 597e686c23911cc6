import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { plexus } from './plexus.js';

describe('plexus without a mesh', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'plexus-cli-'));
  const state = path.join(folder, 'state');
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('says that nothing runs and what to do, with exit code 3', async () => {
    for (const args of [['status'], ['nats', 'plan'], ['dlq', 'ls'], ['demo']]) {
      const text = await plexus(['--state', state, ...args]);
      expect([args, text.code]).toEqual([args, 3]);
      expect(text.err).toContain('npm start');
      const json = await plexus(['--state', state, '--json', ...args]);
      expect(json.json<{ error: { code: string } }>().error.code).toBe('NOT_RUNNING');
    }
  });

  it('lists, shows and validates contracts', async () => {
    const list = await plexus(['contracts', 'list', '--json', '--domain', 'memory']);
    expect(list.json<{ name: string }[]>().map(({ name }) => name)).toContain('write');
    const shown = await plexus(['contracts', 'show', 'memory.write', '--json']);
    expect(shown.json<{ subject: string }>().subject).toContain('plexus.');

    const good = path.join(folder, 'good.json');
    const bad = path.join(folder, 'bad.json');
    const broken = path.join(folder, 'broken.json');
    writeFileSync(good, JSON.stringify({ query: 'x' }));
    writeFileSync(bad, JSON.stringify({ query: '', k: 99 }));
    writeFileSync(broken, '{');
    expect((await plexus(['contracts', 'validate', 'memory.search', good])).code).toBe(0);
    const refused = await plexus(['contracts', 'validate', 'memory.search', bad, '--json']);
    expect(refused.code).toBe(4);
    expect(
      refused
        .json<{ issues: { path: string }[] }>()
        .issues.map((issue) => issue.path)
        .sort(),
    ).toEqual(['k', 'query']);
    expect((await plexus(['contracts', 'validate', 'memory.search', broken])).code).toBe(4);
    const unknown = await plexus(['contracts', 'show', 'memory.serach']);
    expect(unknown.code).toBe(2);
    expect(unknown.err).toContain('There is no contract "memory.serach"');
  });

  it('checks a configuration file with its includes: every issue, and bindings in conflict', async () => {
    const config = path.join(folder, 'plexus.json5');
    const part = path.join(folder, 'agents.json5');
    writeFileSync(part, "{list: [{id: 'main', default: true}, {id: 'ops'}]}");
    const binding = (agentId: string) => `{agentId: '${agentId}', match: {channel: 'telegram'}}`;
    writeFileSync(config, `{agents: {$include: './agents.json5'}, bindings: [${binding('main')}]} // fine`);
    expect((await plexus(['config', 'check', config])).code).toBe(0);
    writeFileSync(config, `{agents: {$include: './agents.json5'}, bindings: [${binding('main')}, ${binding('ops')}]}`);
    const conflicting = await plexus(['config', 'check', config, '--json']);
    expect([conflicting.code, conflicting.json()]).toEqual([
      4,
      expect.objectContaining({ valid: true, conflicts: [expect.objectContaining({ indexes: [0, 1] })] }),
    ]);
    writeFileSync(config, `{agents: {$include: './agents.json5'}, bindings: [${binding('nobody')}], session: {dmScoop: 'main'}}`);
    const broken = await plexus(['config', 'check', config]);
    expect(broken.code).toBe(4);
    for (const path_ of ['bindings.0.agentId', 'session.dmScoop']) expect(broken.out).toContain(path_);
    writeFileSync(config, '{agents: ');
    expect((await plexus(['config', 'check', config])).code).toBe(4);
  });

  it('follows links of agent folders and looks at avatars, unless the folders are on another machine', async () => {
    const config = path.join(folder, 'linked.json5');
    const real = path.join(folder, 'real');
    mkdirSync(real);
    symlinkSync(real, path.join(folder, 'link'));
    writeFileSync(
      config,
      JSON.stringify({
        agents: {
          list: [
            { id: 'a', agentDir: real },
            { id: 'b', agentDir: path.join(folder, 'link') },
          ],
        },
      }),
    );
    const shared = await plexus(['--state', state, 'config', 'check', config]);
    expect([shared.code, shared.out]).toEqual([4, expect.stringContaining('share the folder')]);
    expect((await plexus(['--state', state, 'config', 'check', '--no-files', config])).code).toBe(0);
    writeFileSync(path.join(real, 'me.png'), 'no image');
    const withAvatar = (workspace: string) => JSON.stringify({ agents: { list: [{ id: 'a', workspace, identity: { avatar: 'me.png' } }] } });
    writeFileSync(config, withAvatar(real));
    const noImage = await plexus(['--state', state, 'config', 'check', config]);
    expect([noImage.code, noImage.out]).toEqual([4, expect.stringContaining('not an image')]);
    writeFileSync(path.join(real, 'me.png'), Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'));
    expect((await plexus(['--state', state, 'config', 'check', config])).code).toBe(0);
  });

  it('answers a wrong call with usage and exit code 2', async () => {
    for (const args of [['nonsense'], ['contracts'], ['dlq', 'show'], ['token', 'mint'], ['dlq', 'redrive', 'x']]) {
      expect([args, (await plexus(['--state', state, ...args])).code]).toEqual([args, 2]);
    }
  });

  it('refuses a change that would pass over something that was said', async () => {
    for (const args of [
      ['schedule', 'change', 'daily', '--severity', 'high'],
      ['schedule', 'change', 'daily', '--agent', 'ops'],
      ['dispatch', 'change', 'rule', '--agent', 'ops'],
    ]) {
      expect([args, (await plexus(['--state', state, 'push', ...args])).code]).toEqual([args, 2]);
    }
  });

  it('refuses to mint a token with an unknown scope or a broken duration', async () => {
    expect((await plexus(['--state', state, 'token', 'mint', '--user', 'u', '--scopes', 'root'])).err).toContain('Unknown scope root');
    expect((await plexus(['--state', state, 'token', 'mint', '--user', 'u', '--ttl', 'soon'])).code).toBe(2);
  });

  it('doctor names each check with a way out of each problem', async () => {
    const findings = (await plexus(['--state', state, 'doctor', '--json'], { PLEXUS_GATEWAY_PORT: '0' })).json<
      { check: string; level: string; fix?: string }[]
    >();
    expect(findings.map(({ check }) => check)).toEqual(['node', 'nats-server', 'postgres', 'state folder', 'disk', 'memory', 'model']);
    for (const finding of findings) expect([finding.check, finding.level === 'ok' || (finding.fix ?? '') !== '']).toEqual([finding.check, true]);
  });
});
