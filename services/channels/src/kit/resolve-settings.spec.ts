import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { resolveSettings } from './resolve-settings.js';

/** As people write it: a name in curly brackets behind a dollar sign. */
const reference = (name: string) => ['$', '{', name, '}'].join('');
const schema = z.strictObject({ token: z.string().min(3), list: z.array(z.string()).optional() });

describe('settings of an account', () => {
  let folder: string;
  const sources = (more: object = {}) => ({ env: { TOKEN: 'abc', EMPTY: '' }, folders: [], forbidden: [], ...more });
  beforeAll(() => {
    folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'settings-')));
    writeFileSync(path.join(folder, 'token'), 'from-file\n');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('have their secrets filled in from variables and files', async () => {
    expect(await resolveSettings({ token: reference('TOKEN') }, schema, sources())).toEqual({ token: 'abc' });
    expect(await resolveSettings({ token: { env: 'TOKEN' }, list: [`x-${reference('TOKEN')}`] }, schema, sources())).toEqual({ token: 'abc', list: ['x-abc'] });
    expect(await resolveSettings({ token: { file: path.join(folder, 'token') } }, schema, sources())).toEqual({ token: 'from-file' });
  });

  it.each([
    ['a variable that is not set', { token: reference('MISSING') }, 'token: the variable MISSING is not set'],
    ['an empty variable', { token: { env: 'EMPTY' } }, 'token: the variable EMPTY is not set'],
    ['a variable of the mesh', { token: { env: 'PLEXUS_MASTER_KEY' } }, 'token: the variable PLEXUS_MASTER_KEY belongs to Plexus itself'],
    ['a file that is not there', { token: { file: '/no/such/file' } }, 'token: the file cannot be read (ENOENT)'],
    ['a relative file', { token: { file: 'token' } }, 'token: the file must be named by its absolute path'],
    ['a sealed text', { token: { sealed: 'x' } }, 'token: channel adapters have no master key; use {env} or {file}'],
    ['a setting that does not exist', { token: 'abc', tokne: 1 }, 'settings: Unrecognized key: "tokne"'],
    ['a setting that is missing', {}, 'token: Invalid input: expected string, received undefined'],
  ])('are refused with %s', async (_what, settings, message) => {
    await expect(resolveSettings(settings, schema, sources())).rejects.toThrow(message);
  });

  it('never name a file in a folder that is not for secrets', async () => {
    const token = { file: path.join(folder, 'token') };
    await expect(resolveSettings({ token }, schema, sources({ forbidden: [folder] }))).rejects.toThrow('not read from that folder');
    await expect(resolveSettings({ token }, schema, sources({ folders: ['/run/secrets'] }))).rejects.toThrow('not read from that folder');
    await expect(resolveSettings({ token }, schema, sources({ folders: [folder] }))).resolves.toEqual({ token: 'from-file' });
    const outside = { file: path.join(folder, '..', path.basename(folder), 'token') };
    await expect(resolveSettings({ token: outside }, schema, sources({ forbidden: [folder] }))).rejects.toThrow('not read from that folder');
  });

  it('are judged by where a file lies, whatever links lead to it', async () => {
    const own = path.join(folder, 'own');
    const mounted = path.join(folder, 'mounted');
    for (const name of [own, mounted]) mkdirSync(name);
    writeFileSync(path.join(own, 'key'), 'of-the-mesh');
    writeFileSync(path.join(mounted, '..data'), 'of-the-tenant');
    symlinkSync('..data', path.join(mounted, 'token'));
    symlinkSync(own, path.join(folder, 'other-name'));
    symlinkSync(path.join(own, 'key'), path.join(mounted, 'harmless'));
    const read = (file: string, more: object) => resolveSettings({ token: { file: path.join(folder, file) } }, schema, sources(more));
    for (const file of ['other-name/key', 'mounted/harmless', 'other-name/gone']) {
      await expect(read(file, { forbidden: [own] })).rejects.toThrow('not read from that folder');
    }
    await expect(read('own/key', { forbidden: [path.join(folder, 'other-name')] })).rejects.toThrow('not read from that folder');
    await expect(read('mounted/harmless', { folders: [mounted] })).rejects.toThrow('not read from that folder');
    await expect(read('mounted/token', { folders: [mounted], forbidden: [own] })).resolves.toEqual({ token: 'of-the-tenant' });
    await expect(read('other-name/key', { folders: [path.join(folder, 'other-name')] })).resolves.toEqual({ token: 'of-the-mesh' });
  });
});
