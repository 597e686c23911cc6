import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { InputOf, skillContracts } from '@plexus/contracts';
import { CommandFailure, EXIT } from './exit-code.js';

type Files = InputOf<typeof skillContracts.uploadSkill>['files'];

/** What never belongs into a package. */
const LEFT_OUT = new Set(['.git', 'node_modules', '.DS_Store', '__pycache__']);
const MAX_FILES = 200;

/** The files of a skill in a folder that has a SKILL.md, as they are uploaded. Throws a `CommandFailure` that says what to do. */
export function readSkillFolder(folder: string): Files {
  const files = filesBelow(folder, '');
  if (!files.includes('SKILL.md')) {
    throw new CommandFailure(`${folder} has no SKILL.md.`, EXIT.usage, 'Name the folder of the skill: the one that SKILL.md is in.', 'NO_SKILL');
  }
  return files.map((file) => ({ path: file, content: readFileSync(path.join(folder, file)).toString('base64'), encoding: 'base64' }));
}

function filesBelow(root: string, below: string): string[] {
  let entries: ReturnType<typeof list>;
  try {
    entries = list(path.join(root, below));
  } catch (cause) {
    throw new CommandFailure(`${path.join(root, below)} cannot be read: ${(cause as Error).message}`, EXIT.usage, 'Name a folder with a SKILL.md.', 'NO_SKILL');
  }
  const files = entries.flatMap((entry) => {
    const relative = below === '' ? entry.name : `${below}/${entry.name}`;
    if (LEFT_OUT.has(entry.name)) return [];
    if (entry.isDirectory()) return filesBelow(root, relative);
    if (entry.isFile()) return [relative];
    // A link could lead anywhere on this machine.
    throw new CommandFailure(`${relative} is neither a file nor a folder.`, EXIT.usage, 'Put the file itself there.', 'NO_FILE');
  });
  if (files.length > MAX_FILES) throw new CommandFailure(`A skill has at most ${MAX_FILES} files.`, EXIT.usage, 'Leave some out.', 'TOO_MANY_FILES');
  return files;
}

const list = (folder: string) => readdirSync(folder, { withFileTypes: true });
