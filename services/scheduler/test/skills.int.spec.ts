import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { BUCKETS, SCOPES, skillContracts } from '@plexus/contracts';
import { hashSkillFiles } from '@plexus/vm-protocol';
import { readBuiltInSkills } from '../src/adapters/built-in-skills.js';
import { SchedulerMesh, TENANT } from './support/mesh.js';

const { uploadSkill, listSkills, getSkill, deleteSkill, skillPackage } = skillContracts;
const builtIns = readBuiltInSkills(path.join(path.dirname(fileURLToPath(import.meta.url)), '../skills'));

const skill = (version: string, body = 'Say hello.', name = 'greet') => [
  { path: 'SKILL.md', content: `---\nname: ${name}\ndescription: Greets.\nversion: ${version}\nrequires:\n  binaries: [sh]\n---\n${body}\n` },
  { path: 'scripts/greet.sh', content: Buffer.from('#!/bin/sh\necho hello\n').toString('base64'), encoding: 'base64' as const },
];

describe('the built-in skills', () => {
  it('are well made and say what they need', () => {
    expect(builtIns.map(({ manifest: { id, inventory, requires } }) => [id, inventory.has_scripts, requires.binaries])).toEqual([
      ['csv-profile', true, ['node']],
      ['git-changelog', true, ['git']],
      ['log-digest', true, ['awk', 'sort', 'head']],
    ]);
  });
});

describe('skills of a tenant', () => {
  let mesh: SchedulerMesh;
  const stored = async (): Promise<string[]> => (await mesh.bus.kv(BUCKETS.skills)).keys();

  beforeAll(async () => {
    mesh = await SchedulerMesh.start();
    await mesh.scheduler();
  }, 120_000);
  afterAll(() => mesh.stop());

  it('live from upload to deletion: listed, shown, handed out whole, and gone with their files', async () => {
    const first = await mesh.asOperator('op', uploadSkill, { files: skill('1.9.0') });
    expect(first).toMatchObject({ created: true, skill: { id: 'greet', version: '1.9.0', source: 'tenant', requires: { binaries: ['sh'], env_vars: [] } } });
    await mesh.asOperator('op', uploadSkill, { files: skill('1.10.0') });
    const { skills } = await mesh.asUser('ada', listSkills, {}, [SCOPES.read]);
    expect(skills.map(({ id, version, source }) => [id, version, source])).toEqual([
      ...['csv-profile', 'git-changelog'].map((id) => [id, '1.0.0', 'builtin']),
      ['greet', '1.10.0', 'tenant'],
      ['log-digest', '1.0.0', 'builtin'],
    ]);
    expect(await mesh.asUser('ada', getSkill, { id: 'greet' })).toMatchObject({
      skill: { version: '1.10.0', inventory: { has_skill_md: true, has_scripts: true, has_references: false, script_files: ['scripts/greet.sh'] } },
      versions: ['1.10.0', '1.9.0'],
      paths: ['SKILL.md', 'scripts/greet.sh'],
      skillMd: expect.stringContaining('Say hello.'),
    });
    const { package: whole } = await mesh.asGateway(skillPackage, { skillId: 'greet', version: '1.9.0' }, TENANT);
    expect(whole).toMatchObject({ skill_id: 'greet', version: '1.9.0', hash: first.skill.hash, requires: { binaries: ['sh'] } });
    expect(hashSkillFiles(whole.files.map((file) => ({ path: file.path, bytes: Buffer.from(file.content, file.encoding) })))).toBe(first.skill.hash);
    expect(await stored()).toHaveLength(2);
    expect(await mesh.asOperator('op', deleteSkill, { id: 'greet', version: '1.10.0' })).toEqual({ deleted: 1 });
    expect((await mesh.asUser('ada', getSkill, { id: 'greet' })).skill.version).toBe('1.9.0');
    expect(await mesh.asOperator('op', deleteSkill, { id: 'greet' })).toEqual({ deleted: 1 });
    expect(await mesh.asOperator('op', deleteSkill, { id: 'greet' })).toEqual({ deleted: 0 });
    await expect(mesh.asUser('ada', getSkill, { id: 'greet' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await stored()).toEqual([]);
  });

  it('never change a version: the same again is no error, something else a CONFLICT', async () => {
    const files = skill('1.0.0', 'One.', 'fixed');
    expect(await mesh.asOperator('op', uploadSkill, { files })).toMatchObject({ created: true });
    expect(await mesh.asOperator('op', uploadSkill, { files: [...files].reverse() })).toMatchObject({ created: false });
    await expect(mesh.asOperator('op', uploadSkill, { files: skill('1.0.0', 'Two.', 'fixed') })).rejects.toMatchObject({ code: 'CONFLICT' });
    expect((await mesh.asUser('ada', getSkill, { id: 'fixed' })).skillMd).toContain('One.');
  });

  it('hide a built-in of the same name, which comes back when they are deleted', async () => {
    await mesh.asOperator('op', uploadSkill, { files: skill('0.1.0', 'Ours.', 'log-digest') });
    expect((await mesh.asUser('ada', getSkill, { id: 'log-digest' })).skill).toMatchObject({ version: '0.1.0', source: 'tenant' });
    await mesh.asOperator('op', deleteSkill, { id: 'log-digest' });
    const { skill: builtIn } = await mesh.asUser('ada', getSkill, { id: 'log-digest' });
    expect(builtIn).toMatchObject({ version: '1.0.0', source: 'builtin' });
    const { package: whole } = await mesh.asGateway(skillPackage, { skillId: 'log-digest' }, TENANT);
    expect(whole.files.map((file) => file.path).sort()).toEqual(['SKILL.md', 'scripts/digest.sh']);
    expect(await mesh.asOperator('op', deleteSkill, { id: 'log-digest' })).toEqual({ deleted: 0 });
  });

  it('belong to their tenant, and only its operators change them', async () => {
    await mesh.asOperator('op', uploadSkill, { files: skill('1.0.0', 'Ours.', 'private') });
    await expect(mesh.asGateway(skillPackage, { skillId: 'private' }, 'other')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(mesh.asUser('ada', uploadSkill, { files: skill('1.0.0') }, [SCOPES.write])).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
    await expect(mesh.asUser('ada', deleteSkill, { id: 'private' }, [SCOPES.write])).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
    await expect(mesh.asUser('ada', listSkills, {}, [])).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
  });

  it.each([
    ['a path outside', [...skill('1.0.0'), { path: '../evil', content: 'x' }], 'INVALID_REQUEST'],
    ['no SKILL.md', skill('1.0.0').slice(1), 'INVALID_REQUEST'],
    ['no base64', [...skill('1.0.0'), { path: 'x', content: '%%%', encoding: 'base64' as const }], 'INVALID_REQUEST'],
    ['too much', [...skill('1.0.0'), { path: 'x', content: 'x'.repeat(600_000) }], 'PAYLOAD_TOO_LARGE'],
  ])('are refused with %s, and nothing of them is kept', async (_why, files, code) => {
    const before = await stored();
    await expect(mesh.asOperator('op', uploadSkill, { files })).rejects.toMatchObject({ code });
    expect(await stored()).toEqual(before);
  });

  it('have the largest package that is allowed handed out in one piece', async () => {
    const noise = Buffer.from(Array.from({ length: 500_000 }, (_, index) => (index * 7919) % 256));
    await mesh.asOperator('op', uploadSkill, {
      files: [...skill('1.0.0', 'Big.', 'big'), { path: 'assets/noise', content: noise.toString('base64'), encoding: 'base64' }],
    });
    const { package: whole } = await mesh.asGateway(skillPackage, { skillId: 'big' }, TENANT);
    expect(Buffer.from(whole.files.find((file) => file.path === 'assets/noise')?.content ?? '', 'base64').equals(noise)).toBe(true);
  });
});
