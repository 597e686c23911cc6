import { execFile } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const BUILD_TIMEOUT_MS = 600_000;

export interface Checkout {
  readonly root: string;
  readonly commit: string;
  remove(): Promise<void>;
}

/**
 * Another revision of this repository, built, beside this one: a worktree with the packages that are installed here. Fails when the revision does
 * not exist, or does not build with them.
 */
export async function checkOut(repository: string, revision: string, folder: string): Promise<Checkout> {
  const git = async (...args: string[]): Promise<string> => (await run('git', args, { cwd: repository })).stdout.trim();
  const commit = await git('rev-parse', '--verify', `${revision}^{commit}`);
  rmSync(folder, { recursive: true, force: true });
  await git('worktree', 'prune');
  await git('worktree', 'add', '--detach', folder, commit);
  linkPackages(path.join(repository, 'node_modules'), path.join(folder, 'node_modules'));
  for (const project of projectsWithPackages(repository, folder))
    symlinkSync(path.join(repository, project, 'node_modules'), path.join(folder, project, 'node_modules'));
  if (existsSync(path.join(repository, 'cache'))) symlinkSync(path.join(repository, 'cache'), path.join(folder, 'cache'));
  await run(process.execPath, [path.join(folder, 'tools/build.mjs')], { cwd: folder, timeout: BUILD_TIMEOUT_MS, maxBuffer: 16 * 1024 * 1024 });
  return { root: folder, commit, remove: async () => void (await git('worktree', 'remove', '--force', folder)) };
}

/** Projects with packages of their own, because theirs differ from those of the others. Only where the other revision has the project too. */
function projectsWithPackages(repository: string, folder: string): string[] {
  return ['libs', 'services']
    .flatMap((group) => readdirSync(path.join(repository, group)).map((name) => path.join(group, name)))
    .filter((project) => existsSync(path.join(repository, project, 'node_modules')) && existsSync(path.join(folder, project)));
}

/** Packages of others are shared; those of this repository are the checkout's own, because their links are relative. */
function linkPackages(from: string, to: string): void {
  mkdirSync(path.join(to, '@plexus'), { recursive: true });
  for (const name of readdirSync(from)) {
    if (name === '@plexus' || name === '.package-lock.json') continue;
    symlinkSync(path.join(from, name), path.join(to, name));
  }
  for (const name of readdirSync(path.join(from, '@plexus'))) {
    const link = path.join(from, '@plexus', name);
    if (lstatSync(link).isSymbolicLink()) symlinkSync(readlinkSync(link), path.join(to, '@plexus', name));
  }
}
