import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PlexusError } from '@plexus/kernel';
import { hashSkillFiles, type SkillIndexEntry, StartSessionData } from '@plexus/vm-protocol';
import type { MeshCalls } from '../../application/mesh-calls.js';
import type { Tool, ToolContext } from '../../application/ports.js';
import { skillIdOf, SkillTools } from './skill-tools.js';
import { vmSurroundings } from './vm-surroundings.js';

const FILES = [
  { path: 'SKILL.md', content: '---\nname: digest\n---\nRun scripts/digest.sh.\n', encoding: 'utf8' },
  { path: 'scripts/digest.sh', content: Buffer.from('#!/bin/sh\necho digest\n').toString('base64'), encoding: 'base64' },
  { path: 'references/notes.md', content: 'Notes.\n', encoding: 'utf8' },
];
const HASH = hashSkillFiles(FILES.map(({ path: file, content, encoding }) => ({ path: file, bytes: Buffer.from(content, encoding as 'utf8' | 'base64') })));

const entry = (id: string, more: Partial<SkillIndexEntry> = {}): SkillIndexEntry => ({
  id,
  name: id,
  description: `Does ${id}.`,
  version: '1.0.0',
  source: 'tenant',
  file_inventory: { has_skill_md: true, has_scripts: true, has_references: true, script_files: [], reference_files: [] },
  requires: { binaries: [], env_vars: [] },
  hash: HASH,
  ...more,
});
const session = (...skills: SkillIndexEntry[]): StartSessionData => StartSessionData.parse({ session_id: 's1', agent_id: 'main', skill_index: skills });

describe('skills inside a VM', () => {
  let folder: string;
  let variables: Record<string, string | undefined>;
  let answer: () => unknown;
  let requests: unknown[];
  let told: unknown[];
  let logged: string[];
  let skills: SkillTools;
  const mesh: MeshCalls = {
    request: async (...args) => {
      requests.push(args.slice(0, 3));
      return answer();
    },
    tell: async (...args) => {
      told.push(args);
    },
  };
  const context = (): ToolContext => ({
    sessionId: 's1',
    runId: 'r1',
    workspace: path.join(folder, 'workspace'),
    signal: new AbortController().signal,
    onProcess: () => undefined,
  });
  const toolFor = async (...entries: SkillIndexEntry[]): Promise<Tool> => (await skills.tools(session(...entries)))[0] as Tool;

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'plexus-skills-'));
    mkdirSync(path.join(folder, 'workspace'));
    mkdirSync(path.join(folder, 'bin'));
    variables = { PATH: path.join(folder, 'bin'), HOME: folder, EMPTY: '' };
    answer = () => ({ package: { skill_id: 'digest', version: '1.0.0', hash: HASH, files: FILES } });
    requests = [];
    told = [];
    logged = [];
    skills = new SkillTools({ mesh, surroundings: () => vmSurroundings(variables), log: (_level, message) => void logged.push(message) });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('finding 10: C11: that lack a binary or a variable are not shown and are reported once with the exact names; a binary installed later lets one in without a new VM', async () => {
    const data = session(
      entry('digest'),
      entry('converter', { requires: { binaries: ['plexus-test-convert'], env_vars: [] } }),
      entry('mailer', { requires: { binaries: [], env_vars: ['PLEXUS_TEST_MAIL_KEY', 'EMPTY'] } }),
    );
    const shown = async (): Promise<unknown> => (((await skills.tools(data))[0] as Tool).inputSchema.properties as { skill: { enum: string[] } }).skill.enum;
    expect(await shown()).toEqual(['digest']);
    expect(await shown()).toEqual(['digest']);
    expect(logged).toEqual(['skills left out: converter (not on PATH: plexus-test-convert), mailer (not set: PLEXUS_TEST_MAIL_KEY, EMPTY)']);
    expect(told).toEqual([
      [
        's1',
        'audit_log',
        {
          event: 'skills_gated',
          details: {
            skills: [
              { id: 'converter', missing_binaries: ['plexus-test-convert'], missing_env_vars: [] },
              { id: 'mailer', missing_binaries: [], missing_env_vars: ['PLEXUS_TEST_MAIL_KEY', 'EMPTY'] },
            ],
          },
        },
      ],
    ]);
    const program = path.join(folder, 'bin', 'plexus-test-convert');
    writeFileSync(program, '#!/bin/sh\n');
    expect(await shown()).toEqual(['digest']);
    chmodSync(program, 0o755);
    expect(await shown()).toEqual(['digest', 'converter']);
    expect(told).toHaveLength(2);
    variables.PLEXUS_TEST_MAIL_KEY = 'x';
    variables.EMPTY = 'x';
    expect(await shown()).toEqual(['digest', 'converter', 'mailer']);
    expect(logged.at(-1)).toBe('every skill is available now');
  });

  it('are no tool at all when there are none', async () => {
    expect(await skills.tools(session())).toEqual([]);
    expect([logged, told]).toEqual([[], []]);
  });

  it('are fetched once into the workspace, scripts executable, and their instructions returned with the paths', async () => {
    const tool = await toolFor(entry('digest'));
    const results = await Promise.all([tool.run({ skill: 'digest' }, context()), tool.run({ skill: 'digest' }, context())]);
    expect(await tool.run({ skill: 'digest' }, context())).toEqual(results[0]);
    expect(requests).toEqual([['s1', 'get_skill_package', { skill_id: 'digest', version: '1.0.0' }]]);
    const place = path.join(folder, 'workspace/skills/digest');
    expect(results[0]).toEqual({
      content: `Skill digest 1.0.0, in ${place}\nFiles:\n- ${place}/references/notes.md\n- ${place}/scripts/digest.sh\n\n${FILES[0]?.content}`,
    });
    expect(statSync(path.join(place, 'scripts/digest.sh')).mode & 0o777).toBe(0o755);
    expect(statSync(path.join(place, 'references/notes.md')).mode & 0o111).toBe(0);
    expect(readdirSync(path.join(folder, 'workspace/skills'))).toEqual(['digest']);
  });

  it('are fetched again when a file was changed, or another version is wanted', async () => {
    await (await toolFor(entry('digest'))).run({ skill: 'digest' }, context());
    const script = path.join(folder, 'workspace/skills/digest/scripts/digest.sh');
    writeFileSync(script, 'changed');
    await (await toolFor(entry('digest'))).run({ skill: 'digest' }, context());
    expect(readFileSync(script, 'utf8')).toContain('echo digest');
    answer = () => ({ package: { skill_id: 'digest', version: '1.1.0', files: FILES.slice(0, 1) } });
    await (await toolFor(entry('digest', { version: '1.1.0', hash: undefined }))).run({ skill: 'digest' }, context());
    expect(existsSync(script)).toBe(false);
    expect(requests).toHaveLength(3);
  });

  it.each<[why: string, change: () => unknown, says: RegExp]>([
    ['another hash', () => ({ package: { skill_id: 'digest', version: '1.0.0', files: FILES.slice(0, 2) } }), /its hash differs/],
    ['a path outside', () => ({ package: { skill_id: 'digest', version: '1.0.0', files: [...FILES, { path: '../../evil', content: 'x' }] } }), /evil/],
    ['another skill', () => ({ package: { skill_id: 'other', version: '1.0.0', files: FILES } }), /instead of digest 1.0.0/],
    ['no package', () => ({}), /no package/],
  ])('are refused with %s, and nothing is left in the workspace', async (_why, change, says) => {
    answer = change;
    const result = await (await toolFor(entry('digest'))).run({ skill: 'digest' }, context());
    expect(result).toMatchObject({ isError: true, content: expect.stringMatching(says) });
    expect(existsSync(path.join(folder, 'workspace/skills'))).toBe(false);
    expect(existsSync(path.join(folder, 'evil'))).toBe(false);
  });

  it.each(['..', '../../outside', 'a/../..', '/tmp/x', ''])('whose name is %j lead nowhere out of their folder', async (id) => {
    answer = () => ({ package: { skill_id: id, version: '1.0.0', hash: HASH, files: FILES } });
    const result = await (await toolFor(entry(id))).run({ skill: id }, context());
    expect(result).toMatchObject({ isError: true, content: expect.stringContaining('is no name of a folder') });
    expect([requests, readdirSync(folder).sort(), readdirSync(path.join(folder, 'workspace'))]).toEqual([[], ['bin', 'workspace'], []]);
  });

  it('are not written through a link that leads out of the workspace', async () => {
    symlinkSync(path.join(folder, 'bin'), path.join(folder, 'workspace/skills'));
    const result = await (await toolFor(entry('digest'))).run({ skill: 'digest' }, context());
    expect(result).toMatchObject({ isError: true, content: expect.stringContaining('outside of the workspace') });
    expect(readdirSync(path.join(folder, 'bin'))).toEqual([]);
  });

  it('say what the mesh said when it has no package, and name the others for a wrong name', async () => {
    answer = () => {
      throw new PlexusError({ code: 'NOT_FOUND', message: 'There is no such skill.', retryable: false, status: 404 });
    };
    const tool = await toolFor(entry('digest'));
    expect(await tool.run({ skill: 'digest' }, context())).toMatchObject({ isError: true, content: expect.stringContaining('There is no such skill.') });
    expect(await tool.run({ skill: 'nope' }, context())).toMatchObject({ isError: true, content: expect.stringContaining('There are: digest') });
    expect(await tool.run('rubbish', context())).toMatchObject({ isError: true });
    expect([skillIdOf({ skill: 'a' }), skillIdOf(null), skillIdOf({ skill: 1 })]).toEqual(['a', undefined, undefined]);
  });
});
