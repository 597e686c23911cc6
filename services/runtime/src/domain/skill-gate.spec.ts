import type { SkillIndexEntry } from '@plexus/vm-protocol';
import { describeMissing, gateSkills } from './skill-gate.js';

const skill = (id: string, binaries: string[], env_vars: string[]): SkillIndexEntry => ({
  id,
  name: id,
  description: id,
  version: '1.0.0',
  source: 'tenant',
  file_inventory: { has_skill_md: true, has_scripts: false, has_references: false, script_files: [], reference_files: [] },
  requires: { binaries, env_vars },
});
const here = (binaries: string[], variables: string[]) => ({
  hasBinary: (name: string) => binaries.includes(name),
  hasVariable: (name: string) => variables.includes(name),
});

describe('the gate of skills', () => {
  it('leaves out what lacks a binary or a variable, and names exactly what is missing', () => {
    const gated = gateSkills(
      [skill('plain', [], []), skill('git', ['git', 'jq', 'sh'], []), skill('key', ['sh'], ['API_KEY', 'HOME'])],
      here(['sh', 'git'], ['HOME']),
    );
    expect(gated.available.map(({ id }) => id)).toEqual(['plain']);
    expect([...gated.missing]).toEqual([
      ['git', { binaries: ['jq'], envVars: [] }],
      ['key', { binaries: [], envVars: ['API_KEY'] }],
    ]);
  });

  it('lets a skill in as soon as the last missing part is there', () => {
    const skills = [skill('git', ['git'], [])];
    expect(gateSkills(skills, here([], [])).available).toEqual([]);
    expect(gateSkills(skills, here(['git'], [])).available).toEqual(skills);
  });

  it('says in one sentence what to install and what to set', () => {
    expect(describeMissing({ binaries: ['jq', 'git'], envVars: ['API_KEY'] })).toBe('not on PATH: jq, git; not set: API_KEY');
    expect(describeMissing({ binaries: [], envVars: ['A'] })).toBe('not set: A');
  });
});
