import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { checkAvatar, MAX_AVATAR_BYTES, nodeFiles, readAvatar, resolveAgentDir, resolveWorkspace, sharedAgentDirs, validateTenantConfig } from '../index.js';
import { configOf } from '../../test/documents.js';

const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
let root: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'plexus-folders-')));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('agent folders', () => {
  const where = { stateDir: '/state', home: '/home/me' };

  it('are configured (with ~ and relative to the state folder), or below the state folder', () => {
    const config = configOf({
      agents: {
        defaults: { workspace: '~/work' },
        list: [{ id: 'a' }, { id: 'b', agentDir: ' ~/b ', workspace: '/b' }, { id: 'c', agentDir: 'own/c' }, { id: 'd', agentDir: ' ' }],
      },
    });
    expect(['A', 'b', 'c', 'd'].map((id) => resolveAgentDir(config, id, where))).toEqual([
      '/state/agents/a/agent',
      '/home/me/b',
      '/state/own/c',
      '/state/agents/d/agent',
    ]);
    expect(['a', 'b', 'c'].map((id) => resolveWorkspace(config, id, where))).toEqual(['/home/me/work', '/b', '/home/me/work/c']);
    expect(resolveWorkspace(configOf({}), 'main', where)).toBe('/state/agents/main/workspace');
  });

  it('D9: a configuration in which two agents share a folder is refused and names both', () => {
    const list = [
      { id: 'a', agentDir: '/srv/one' },
      { id: 'b', agentDir: '/srv/x/../one/' },
    ];
    const { config, issues } = validateTenantConfig({ agents: { list } }, { stateDir: root });
    expect(config).toBeUndefined();
    expect(issues).toMatchObject([{ path: 'agents.list.1.agentDir', code: 'duplicate_agent_dir', value: '/srv/one' }]);
    expect(issues[0]?.message).toMatch(/"a" and "b"/);
  });

  it('D9: also where one of them gets there through a link, and the folder itself does not exist yet', () => {
    mkdirSync(path.join(root, 'real'));
    symlinkSync(path.join(root, 'real'), path.join(root, 'link'));
    const document = {
      agents: { list: [{ id: 'a', agentDir: path.join(root, 'real/new') }, { id: 'b', agentDir: path.join(root, 'link/new') }, { id: 'c' }] },
    };
    expect(validateTenantConfig(document, { stateDir: root, fileSystem: nodeFiles }).issues).toMatchObject([
      { code: 'duplicate_agent_dir', message: expect.stringMatching(/"a" and "b"/) },
    ]);
    expect(validateTenantConfig(document, { stateDir: root }).issues).toEqual([]);
  });

  it('D9: also where one of them is the folder that the other has by default', () => {
    const document = { agents: { list: [{ id: 'a' }, { id: 'b', agentDir: path.join(root, 'agents/a/agent') }] } };
    expect(validateTenantConfig(document, { stateDir: root }).issues).toMatchObject([{ path: 'agents.list.1.agentDir', code: 'duplicate_agent_dir' }]);
  });

  it('are compared as macOS and Windows compare them, on request', () => {
    const config = configOf({
      agents: {
        list: [
          { id: 'a', agentDir: '/srv/One' },
          { id: 'b', agentDir: '/srv/one' },
        ],
      },
    });
    expect(sharedAgentDirs(config, { ...where, foldCase: false })).toEqual([]);
    expect(sharedAgentDirs(config, { ...where, foldCase: true })).toEqual([{ agentIds: ['a', 'b'], directory: '/srv/One' }]);
  });
});

describe('avatars', () => {
  const check = (avatar: unknown) => {
    const result = checkAvatar(avatar, { workspace: path.join(root, 'work'), files: nodeFiles });
    return result.ok ? result.value.kind : result.error.code;
  };
  beforeEach(() => {
    mkdirSync(path.join(root, 'work/pictures'), { recursive: true });
    writeFileSync(path.join(root, 'work/me.png'), PNG);
    writeFileSync(path.join(root, 'work/..me.png'), PNG);
    writeFileSync(path.join(root, 'secret.png'), PNG);
  });

  it('are nothing, an address, or an image of the workspace', () => {
    for (const blank of [undefined, null, 7, '', '  ']) expect(check(blank)).toBe('none');
    for (const address of ['data:image/png;base64,AA', 'https://example.org/a.png', 'HTTP://x']) expect(check(address)).toBe('address');
    for (const file of ['me.png', './pictures/../me.png', '..me.png', path.join(root, 'work/me.png')]) expect(check(file)).toBe('file');
  });

  it.each([
    ['~/me.png', 'avatar_home'],
    ['file:///etc/passwd', 'avatar_scheme'],
    ['javascript:alert(1)', 'avatar_scheme'],
    ['.', 'avatar_outside'],
    ['..', 'avatar_outside'],
    ['../secret.png', 'avatar_outside'],
    ['pictures/../../secret.png', 'avatar_outside'],
    ['/etc/passwd', 'avatar_outside'],
    ['me.png\0', 'avatar_outside'],
    ['gone.png', 'avatar_missing'],
    ['pictures', 'avatar_not_file'],
  ])('%j is refused with %s', (avatar, code) => expect(check(avatar)).toBe(code));

  it('are refused when a link leads out, they are no image, or they are larger than 2 MiB', () => {
    symlinkSync(path.join(root, 'secret.png'), path.join(root, 'work/link.png'));
    symlinkSync(root, path.join(root, 'work/up'));
    writeFileSync(path.join(root, 'work/text.png'), 'GIF8 is not enough');
    writeFileSync(path.join(root, 'work/page.svg'), '<svg onload="x()"/>');
    writeFileSync(path.join(root, 'work/limit.png'), Buffer.concat([PNG, Buffer.alloc(MAX_AVATAR_BYTES - PNG.length)]));
    writeFileSync(path.join(root, 'work/big.png'), Buffer.concat([PNG, Buffer.alloc(MAX_AVATAR_BYTES)]));
    const names = ['link.png', 'up/secret.png', 'text.png', 'page.svg', 'limit.png', 'big.png'];
    expect(names.map(check)).toEqual(['avatar_outside', 'avatar_outside', 'avatar_not_image', 'avatar_not_image', 'file', 'avatar_too_large']);
  });

  it('are checked again when they are read: the file may be another one by then', () => {
    const options = { workspace: path.join(root, 'work'), files: nodeFiles };
    expect(readAvatar('me.png', options)).toEqual({ ok: true, value: { bytes: PNG, mediaType: 'image/png' } });
    rmSync(path.join(root, 'work/me.png'));
    symlinkSync(path.join(root, 'secret.png'), path.join(root, 'work/me.png'));
    expect(readAvatar('me.png', options)).toMatchObject({ ok: false, error: { code: 'avatar_outside' } });
    expect(readAvatar('https://example.org/a.png', options)).toMatchObject({ ok: false, error: { code: 'avatar_not_file' } });
  });

  it('are issues of the configuration, each with its path', () => {
    const list = [
      { id: 'a', identity: { avatar: '../x.png' } },
      { id: 'b', identity: { avatar: '~/x' } },
      { id: 'c', identity: { avatar: ' ' } },
    ];
    expect(validateTenantConfig({ agents: { list } }).issues).toMatchObject([
      { path: 'agents.list.0.identity.avatar', code: 'avatar_outside', value: '../x.png', fix: expect.any(String) },
      { path: 'agents.list.1.identity.avatar', code: 'avatar_home', value: '~/x' },
    ]);
  });
});
