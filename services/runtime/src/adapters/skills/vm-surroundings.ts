import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import type { Surroundings } from '../../domain/skill-gate.js';

/** What tools of this VM see: the folders of PATH as they are now, and variables that hold something. */
export function vmSurroundings(variables: Readonly<Record<string, string | undefined>>): Surroundings {
  const folders = (variables.PATH ?? '').split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  return {
    hasBinary: (name) => name !== '' && path.basename(name) === name && folders.some((folder) => isProgram(path.join(folder, name))),
    hasVariable: (name) => Object.hasOwn(variables, name) && (variables[name] ?? '') !== '',
  };
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    // Not there, or not ours to run: both mean that a tool could not start it.
    return false;
  }
}
