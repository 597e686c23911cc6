import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { ConfigurationError } from '@plexus/kernel';

const run = promisify(execFile);
const PROBE_TIMEOUT_MS = 5_000;

export interface LauncherOptions {
  readonly namespaces: 'off' | 'auto' | 'require';
  readonly nice?: number | undefined;
  readonly maxOpenFiles?: number | undefined;
  readonly maxFileMib?: number | undefined;
  readonly maxDataMib?: number | undefined;
  /** Where programs are looked for. */
  readonly searchPath: string;
  /** What VMs must not see: the folder with the keys of the mesh and the workspaces of others. */
  readonly hidden: string;
  readonly log: { warn(fields: object, message: string): void };
}

/** How the command of a VM is wrapped. Wrappers replace themselves by what they start, except bubblewrap, which stays as its parent. */
export interface Launcher {
  readonly isolation: 'none' | 'namespace';
  /** The whole command line; `workspace` is the only folder that stays writable inside namespaces. */
  wrap(command: readonly string[], workspace: string): readonly [string, ...string[]];
}

/** Nothing around the command. */
export const PLAIN_LAUNCHER: Launcher = { isolation: 'none', wrap: (command) => [...command] as [string, ...string[]] };

/**
 * Looks once what can be had on this machine. Limits that were asked for and cannot be set are an error; namespaces only with `require`, `auto` warns
 * and goes without.
 */
export async function probeLauncher(options: LauncherOptions): Promise<Launcher> {
  const prefix = [...niceArguments(options), ...limitArguments(options)];
  const bubblewrap = await findBubblewrap(options);
  if (prefix.length > 0) await probe([...prefix, '/bin/true'], 'the limits of LOCAL_NICE and LOCAL_MAX_* cannot be set here');
  if (bubblewrap === undefined) return { isolation: 'none', wrap: (command) => [...prefix, ...command] as [string, ...string[]] };
  return {
    isolation: 'namespace',
    wrap: (command, workspace) => [...prefix, bubblewrap, ...namespaceArguments(options.hidden, workspace), '--', ...command] as [string, ...string[]],
  };
}

function niceArguments(options: LauncherOptions): string[] {
  return options.nice === undefined ? [] : [required('nice', 'LOCAL_NICE', options.searchPath), '-n', String(options.nice)];
}

function limitArguments({ maxOpenFiles, maxFileMib, maxDataMib, searchPath }: LauncherOptions): string[] {
  const limits = [
    ...(maxOpenFiles === undefined ? [] : [`--nofile=${maxOpenFiles}`]),
    ...(maxFileMib === undefined ? [] : [`--fsize=${maxFileMib * 1_048_576}`]),
    ...(maxDataMib === undefined ? [] : [`--data=${maxDataMib * 1_048_576}`]),
  ];
  return limits.length === 0 ? [] : [required('prlimit', 'LOCAL_MAX_*', searchPath), '--core=0', ...limits, '--'];
}

/** Read-only everything, no view of other processes or of `hidden`, no capabilities. The network is shared: whatever is closed to a VM must be closed there. */
function namespaceArguments(hidden: string, workspace: string | undefined): string[] {
  return [
    ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try', '--cap-drop', 'ALL'],
    ...['--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc', '--tmpfs', '/tmp', '--tmpfs', '/var/tmp', '--tmpfs', hidden],
    ...(workspace === undefined ? [] : ['--bind', workspace, workspace, '--chdir', workspace]),
    ...['--remount-ro', hidden],
  ];
}

async function findBubblewrap({ namespaces, searchPath, hidden, log }: LauncherOptions): Promise<string | undefined> {
  if (namespaces === 'off') return undefined;
  try {
    const program = required('bwrap', `LOCAL_NAMESPACES=${namespaces}`, searchPath);
    await probe([program, ...namespaceArguments(hidden, undefined), '--', '/bin/true'], `${program} cannot make namespaces here`);
    return program;
  } catch (error) {
    if (namespaces === 'require' || !(error instanceof ConfigurationError)) throw error;
    log.warn({ err: error }, 'VMs run without namespaces: LOCAL_NAMESPACES=auto, and bubblewrap cannot be used');
    return undefined;
  }
}

async function probe([program, ...args]: string[], problem: string): Promise<void> {
  try {
    await run(program as string, args, { timeout: PROBE_TIMEOUT_MS });
  } catch (cause) {
    const said = (cause as { stderr?: string }).stderr?.trim() || (cause as Error).message;
    throw new ConfigurationError(`${problem}: ${said}`, { cause });
  }
}

function required(program: string, setting: string, searchPath: string): string {
  for (const folder of searchPath.split(path.delimiter).filter((entry) => path.isAbsolute(entry))) {
    const file = path.join(folder, program);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder; the error below names all of them.
    }
  }
  throw new ConfigurationError(`${setting} needs ${program}, which is in no folder of PATH (${searchPath || 'empty'})`);
}
