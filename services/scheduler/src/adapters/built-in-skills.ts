import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigurationError } from '@plexus/kernel';
import type { SkillBytes } from '@plexus/vm-protocol';
import type { BuiltInSkill } from '../application/skills.js';
import { readSkill } from '../domain/skill-manifest.js';

/** The folder `skills` of this service, from the source as well as from the compiled file. */
export function builtInFolder(moduleUrl: string): string {
  for (let folder = path.dirname(fileURLToPath(moduleUrl)); ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, 'skills');
    if (existsSync(path.join(folder, 'prisma')) && existsSync(candidate)) return candidate;
    if (folder === path.dirname(folder)) throw new ConfigurationError('the folder skills is missing beside this service');
  }
}

/** Every skill in a folder, each in a folder of its own. One that is not well made stops the start: it ships with the code. */
export function readBuiltInSkills(folder: string): BuiltInSkill[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => {
      const files = filesBelow(path.join(folder, entry.name), '');
      const manifest = readSkill(files);
      if (manifest.id !== entry.name) throw new ConfigurationError(`the built-in skill in skills/${entry.name} calls itself ${manifest.id}`);
      return { manifest, files };
    });
}

function filesBelow(root: string, below: string): SkillBytes[] {
  return readdirSync(path.join(root, below), { withFileTypes: true }).flatMap((entry) => {
    const relative = below === '' ? entry.name : `${below}/${entry.name}`;
    return entry.isDirectory() ? filesBelow(root, relative) : [{ path: relative, bytes: readFileSync(path.join(root, relative)) }];
  });
}
