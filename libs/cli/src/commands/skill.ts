import { skillContracts as skill } from '@plexus/contracts';
import type { Command } from 'commander';
import { EXIT } from '../exit-code.js';
import type { MeshOptions } from '../mesh.js';
import { callAsOperator } from '../operator-call.js';
import { type Output, table } from '../output.js';
import { readSkillFolder } from '../skill-folder.js';

interface In {
  readonly tenant: string;
}

const MAX_SHOWN = 80;
const short = (text: string): string => (text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN - 1)}…`);
const needs = ({ binaries, env_vars }: skill.SkillSummary['requires']): string => [...binaries, ...env_vars.map((name) => `$${name}`)].join(' ') || '–';
const inTenant = (command: Command): Command => command.option('--tenant <tenant>', 'the tenant', 'default');
/** `greet`, or one version of it: `greet@1.2.0`. */
function which(text: string): { readonly id: string; readonly version?: string } {
  const at = text.indexOf('@');
  return at < 0 ? { id: text } : { id: text.slice(0, at), version: text.slice(at + 1) };
}

/** `plexus skill add|ls|show|rm`. */
export function skillCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  const command = program.command('skill').description('skills that agents may load: add, list, show, remove');

  inTenant(command.command('add <folder>').description('upload the skill in a folder with a SKILL.md; a version never changes')).action(
    async (folder: string, who: In) => {
      const answer = await callAsOperator(mesh(), skill.uploadSkill, who, { files: readSkillFolder(folder) });
      const { id, version, files, bytes } = answer.skill;
      output().result(answer, `${id} ${version} ${answer.created ? 'added' : 'was there already'}: ${files} files, ${bytes} bytes`);
    },
  );

  inTenant(command.command('ls').description('what there is, in its highest version')).action(async (who: In) => {
    const answer = await callAsOperator(mesh(), skill.listSkills, who, {});
    const rows = answer.skills.map(({ id, version, source, requires, description }) => [id, version, source, needs(requires), short(description)]);
    output().result(answer, table([['SKILL', 'VERSION', 'SOURCE', 'NEEDS', 'DESCRIPTION'], ...rows]));
  });

  inTenant(command.command('show <skill>').description('versions, files and instructions of <name> or <name>@<version>')).action(
    async (name: string, who: In) => {
      const answer = await callAsOperator(mesh(), skill.getSkill, who, which(name));
      const { id, version, source, hash, requires } = answer.skill;
      const facts = [
        `${id} ${version} (${source}; all: ${answer.versions.join(', ')})`,
        `needs ${needs(requires)}`,
        `sha256 ${hash}`,
        ...answer.paths.map((file) => `  ${file}`),
      ];
      output().result(answer, [...facts, '', ...answer.skillMd.split('\n')]);
    },
  );

  inTenant(command.command('rm <skill>').description('remove <name>@<version>, or with <name> every version')).action(async (name: string, who: In) => {
    const answer = await callAsOperator(mesh(), skill.deleteSkill, who, which(name));
    output().result(answer, answer.deleted === 0 ? `There was no ${name} to remove.` : `${answer.deleted} removed`);
    if (answer.deleted === 0) process.exitCode = EXIT.findings;
  });
}
