import { createHash } from 'node:crypto';
import { stableStringify } from '@plexus/kernel';
import type { BrowserConfig, DockerConfig, PruneConfig, SandboxConfig, SandboxScope } from '../schema/sandbox-config.js';
import type { TenantConfig } from '../schema/tenant-config.js';
import { findAgent } from './agents.js';

/** When a sandbox that nobody uses goes. Milliseconds; 0 switches the criterion off. */
export interface ResolvedPrune {
  readonly idleMs: number;
  readonly maxAgeMs: number;
}

export interface ResolvedDocker extends Omit<DockerConfig, 'env' | 'binds' | 'tmpfs' | 'capDrop'> {
  readonly network: string;
  readonly readOnlyRoot: boolean;
  readonly noNewPrivileges: boolean;
  readonly workdir: string;
  readonly tmpfs: readonly string[];
  readonly capDrop: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly binds: readonly string[];
}

export interface ResolvedSandbox {
  readonly mode: 'off' | 'non-main' | 'all';
  readonly scope: SandboxScope;
  readonly workspaceAccess: 'none' | 'ro' | 'rw';
  readonly docker: ResolvedDocker;
  readonly browser: { readonly enabled: boolean; readonly headless: boolean; readonly image?: string };
  readonly prune: ResolvedPrune;
}

export const DEFAULT_PRUNE: ResolvedPrune = Object.freeze({ idleMs: 86_400_000, maxAgeMs: 604_800_000 });
/** A sweep over all sandboxes is worth its cost at most this often. */
export const PRUNE_SWEEP_INTERVAL_MS = 300_000;
/** A sandbox used within this time is not replaced because its settings changed, only flagged. */
export const RECENTLY_USED_MS = 300_000;

/**
 * The sandbox of one agent: every field is the agent's, else that of `agents.defaults`, else the default, each for itself. In scope
 * `shared` one sandbox serves everybody, so what single agents wish for docker, browser and prune is ignored. An agent that is not
 * listed gets what `agents.defaults` says.
 */
export function resolveSandbox(config: TenantConfig, agentId: string): ResolvedSandbox {
  const agent = findAgent(config, agentId);
  const global = config.agents.defaults?.sandbox ?? {};
  const own: SandboxConfig = { ...agent?.sandbox };
  if (own.scope === undefined && agent?.scope !== undefined) own.scope = agent.scope;
  const scope = scopeOf(own, global);
  const override = scope === 'shared' ? {} : own;
  return {
    mode: own.mode ?? global.mode ?? 'off',
    scope,
    workspaceAccess: own.workspaceAccess ?? global.workspaceAccess ?? 'none',
    docker: mergeDocker(global.docker ?? {}, override.docker ?? {}),
    browser: mergeBrowser(global.browser ?? {}, override.browser ?? {}),
    prune: mergePrune(global.prune ?? {}, override.prune ?? {}),
  };
}

function scopeOf(own: SandboxConfig, global: SandboxConfig): SandboxScope {
  const scope = own.scope ?? global.scope;
  if (scope !== undefined) return scope;
  const perSession = own.perSession ?? global.perSession;
  if (perSession === undefined) return 'user';
  return perSession ? 'session' : 'shared';
}

function mergeDocker(global: DockerConfig, own: DockerConfig): ResolvedDocker {
  const ulimits = { ...global.ulimits, ...own.ulimits };
  return {
    network: 'none',
    readOnlyRoot: true,
    noNewPrivileges: true,
    workdir: '/workspace',
    tmpfs: ['/tmp', '/var/tmp', '/run'],
    capDrop: ['ALL'],
    ...given(global),
    ...given(own),
    ...(Object.keys(ulimits).length > 0 && { ulimits }),
    env: { LANG: 'C.UTF-8', ...global.env, ...own.env },
    binds: [...(global.binds ?? []), ...(own.binds ?? [])],
  };
}

function mergeBrowser(global: BrowserConfig, own: BrowserConfig): ResolvedSandbox['browser'] {
  return { enabled: false, headless: true, ...given(global), ...given(own) };
}

function mergePrune(global: PruneConfig, own: PruneConfig): ResolvedPrune {
  return { ...DEFAULT_PRUNE, ...given(global), ...given(own) };
}

/** Without members that are undefined: an absent field must not hide the one below it. */
function given<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}

/** When a sandbox was made and last used, in milliseconds since 1970. */
export interface SandboxUse {
  readonly createdAt: number;
  readonly lastUsedAt: number;
}

/** True when a sandbox is idle or old for *longer* than allowed; exactly at a limit it stays. */
export function shouldPrune(entry: SandboxUse, prune: ResolvedPrune, now: number): boolean {
  return (prune.idleMs > 0 && now - entry.lastUsedAt > prune.idleMs) || (prune.maxAgeMs > 0 && now - entry.createdAt > prune.maxAgeMs);
}

/** Fingerprint of everything that is fixed when a sandbox is made; a different one means that it should be made anew. */
export function sandboxHash(sandbox: ResolvedSandbox): string {
  const { docker, browser, workspaceAccess } = sandbox;
  return createHash('sha256').update(stableStringify({ docker, browser, workspaceAccess })).digest('hex').slice(0, 16);
}

/** What to do about a sandbox whose settings may have changed: nothing, make it anew, or only say so because somebody works in it. */
export function recreateDecision(entry: SandboxUse & { readonly hash: string }, wantedHash: string, now: number): 'keep' | 'recreate' | 'flag' {
  if (entry.hash === wantedHash) return 'keep';
  return now - entry.lastUsedAt <= RECENTLY_USED_MS ? 'flag' : 'recreate';
}

/** Owner key of the VM that serves a session: which sessions share one VM. */
export function ownerKeyOf(scope: SandboxScope, of: { readonly agentId: string; readonly sessionId: string }): string {
  switch (scope) {
    case 'session':
      return `session:${of.sessionId}`;
    case 'agent':
      return `agent:${of.agentId}`;
    case 'shared':
      return 'shared';
    case 'user':
      return 'user';
  }
}
