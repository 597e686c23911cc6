import os from 'node:os';
import path from 'node:path';
import type { FileAccess } from '../load/file-access.js';
import type { TenantConfig } from '../schema/tenant-config.js';
import { defaultAgentId, findAgent, namedAgentIds } from './agents.js';

/** Where folders are. */
export interface DirectoryOptions {
  /** Absolute path of the state folder. */
  readonly stateDir: string;
  /** What `~` stands for; the home folder of this process unless given. */
  readonly home?: string;
}

/** Several agents whose folders are one and the same. */
export interface SharedDirectory {
  readonly agentIds: readonly string[];
  /** The folder, with links resolved. */
  readonly directory: string;
}

/** Absolute path of an agent's folder: the configured one (`~` expanded, relative to the state folder), else `<stateDir>/agents/<id>/agent`. */
export function resolveAgentDir(config: TenantConfig, agentId: string, options: DirectoryOptions): string {
  const id = agentId.trim().toLowerCase();
  const configured = findAgent(config, id)?.agentDir?.trim();
  return configured ? absolute(configured, options) : path.resolve(options.stateDir, 'agents', id, 'agent');
}

/** Absolute path of the folder an agent works in: its own, else that of `agents.defaults` (others than the default agent: a subfolder of it), else below the state folder. */
export function resolveWorkspace(config: TenantConfig, agentId: string, options: DirectoryOptions): string {
  const id = agentId.trim().toLowerCase();
  const own = findAgent(config, id)?.workspace?.trim();
  if (own) return absolute(own, options);
  const common = config.agents.defaults?.workspace?.trim();
  if (common) return id === defaultAgentId(config) ? absolute(common, options) : path.join(absolute(common, options), id);
  return path.resolve(options.stateDir, 'agents', id, 'workspace');
}

/**
 * Agents that would overwrite each other's folder. With `files`, links are resolved as far as the path exists; `foldCase` compares as
 * macOS and Windows do.
 */
export function sharedAgentDirs(
  config: TenantConfig,
  options: DirectoryOptions & { readonly files?: FileAccess; readonly foldCase?: boolean },
): SharedDirectory[] {
  const { files, foldCase = process.platform === 'darwin' || process.platform === 'win32' } = options;
  const byPlace = new Map<string, { directory: string; agentIds: string[] }>();
  for (const id of namedAgentIds(config)) {
    const directory = withLinksResolved(resolveAgentDir(config, id, options), files);
    const place = foldCase ? directory.toLowerCase() : directory;
    const entry = byPlace.get(place) ?? { directory, agentIds: [] };
    entry.agentIds.push(id);
    byPlace.set(place, entry);
  }
  return [...byPlace.values()].filter(({ agentIds }) => agentIds.length > 1);
}

/** Resolves the part of the path that exists; the rest may be made later. */
export function withLinksResolved(target: string, files: Pick<FileAccess, 'realPath'> | undefined): string {
  if (files === undefined) return target;
  const missing: string[] = [];
  for (let existing = target; ; existing = path.dirname(existing)) {
    try {
      return path.join(files.realPath(existing), ...missing);
    } catch {
      // Not there, or not to be looked at: what can be resolved is its parent.
      if (path.dirname(existing) === existing) return target;
      missing.unshift(path.basename(existing));
    }
  }
}

function absolute(configured: string, { stateDir, home = os.homedir() }: DirectoryOptions): string {
  const expanded = configured === '~' || configured.startsWith('~/') || configured.startsWith('~\\') ? path.join(home, configured.slice(1)) : configured;
  return path.resolve(stateDir, expanded);
}
