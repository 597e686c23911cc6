import type { z } from 'zod';
import type { ConfigIssue } from '../issue.js';
import { BUILT_IN_CHANNELS } from '../schema/channels-config.js';
import type { TenantConfig } from '../schema/tenant-config.js';
import { describeIssue } from './describe-issue.js';
import { type ChannelDeclaration, checkerOf, type PluginDeclaration } from './plugin-declaration.js';
import { quoteValue } from './quote-value.js';
import { suggest } from './suggest.js';

export interface PluginContext {
  readonly plugins: readonly PluginDeclaration[];
  readonly channels: Readonly<Record<string, ChannelDeclaration>>;
}

export interface Findings {
  readonly issues: ConfigIssue[];
  readonly warnings: ConfigIssue[];
}

/** What only plugins and adapters can tell: which ids exist, what their settings must be, and where heartbeats may go. */
export function pluginChecks(config: TenantConfig, context: PluginContext): Findings {
  const found: Findings = { issues: [], warnings: [] };
  const byId = new Map(context.plugins.map((plugin) => [plugin.id, plugin]));
  const channels = knownChannels(config, context);
  checkIds(config, byId, found.issues);
  checkEntries(config, byId, found);
  checkChannels(config, channels, context, found.issues);
  checkTargets(config, channels, found.issues);
  for (const [index, { match }] of config.bindings.entries()) {
    if (channels.includes(match.channel.trim().toLowerCase())) continue;
    found.warnings.push({
      path: `bindings.${index}.match.channel`,
      code: 'unknown_channel',
      message: 'no adapter is known for this channel',
      value: match.channel,
      ...meant(match.channel, channels),
    });
  }
  return found;
}

/** Channels that exist: built in, declared by an adapter, or by a plugin that is not switched off. */
export function knownChannels(config: TenantConfig, context: PluginContext): string[] {
  const ofPlugins = context.plugins.filter((plugin) => isPluginEnabled(config, plugin.id)).flatMap((plugin) => plugin.channels ?? []);
  return [...new Set([...BUILT_IN_CHANNELS, ...Object.keys(context.channels), ...ofPlugins])].map((id) => id.toLowerCase()).sort();
}

/** True unless plugins are off, or this one is disabled, denied, or missing from a list of those allowed. */
export function isPluginEnabled(config: TenantConfig, id: string): boolean {
  const { plugins } = config;
  if (plugins?.enabled === false || plugins?.deny?.includes(id)) return false;
  if (plugins?.allow !== undefined && plugins.allow.length > 0 && !plugins.allow.includes(id)) return false;
  const entries = plugins?.entries ?? {};
  return !Object.hasOwn(entries, id) || entries[id]?.enabled !== false;
}

function checkIds(config: TenantConfig, known: ReadonlyMap<string, PluginDeclaration>, issues: ConfigIssue[]): void {
  const { entries = {}, allow = [], deny = [], slots } = config.plugins ?? {};
  const report = (path: string, id: string) => {
    if (!known.has(id)) issues.push({ path, code: 'unknown_plugin', message: 'no plugin has this id', value: id, ...meant(id, [...known.keys()]) });
  };
  for (const id of Object.keys(entries)) report(`plugins.entries.${id}`, id);
  for (const [index, id] of allow.entries()) report(`plugins.allow.${index}`, id);
  for (const [index, id] of deny.entries()) report(`plugins.deny.${index}`, id);
  const memory = slots?.memory;
  if (memory !== undefined && memory !== 'none') {
    report('plugins.slots.memory', memory);
    if (known.has(memory) && known.get(memory)?.kind !== 'memory') {
      issues.push({
        path: 'plugins.slots.memory',
        code: 'wrong_plugin_kind',
        message: 'this plugin cannot keep the memory',
        value: memory,
        fix: 'name a memory plugin, or none',
      });
    }
  }
}

function checkEntries(config: TenantConfig, known: ReadonlyMap<string, PluginDeclaration>, found: Findings): void {
  for (const [id, entry] of Object.entries(config.plugins?.entries ?? {})) {
    const plugin = known.get(id);
    if (plugin === undefined) continue;
    const path = `plugins.entries.${id}`;
    const enabled = isPluginEnabled(config, id);
    const configured = entry.config !== undefined;
    if (!enabled && configured)
      found.warnings.push({
        path: `${path}.config`,
        code: 'disabled_plugin',
        message: 'the plugin is disabled: its settings have no effect',
        fix: 'enable the plugin, or remove its settings',
      });
    if (!enabled && !configured) continue;
    if (plugin.configSchema === undefined) {
      found.issues.push({ path, code: 'missing_schema', message: 'the plugin has no schema for its settings', fix: 'update the plugin, or remove it' });
    } else {
      found.issues.push(...checkAgainst(plugin.configSchema, entry.config ?? {}, ['plugins', 'entries', id, 'config'], config));
    }
  }
}

function checkChannels(config: TenantConfig, known: readonly string[], context: PluginContext, issues: ConfigIssue[]): void {
  for (const [id, channel] of Object.entries(config.channels ?? {})) {
    if (!known.includes(id))
      issues.push({ path: `channels.${id}`, code: 'unknown_channel', message: 'no adapter is known for this channel', ...meant(id, known) });
    const schema = Object.hasOwn(context.channels, id) ? context.channels[id]?.settings : undefined;
    if (schema === undefined) continue;
    for (const [account, { settings }] of Object.entries(channel.accounts)) {
      issues.push(...checkAgainst(schema, settings ?? {}, ['channels', id, 'accounts', account, 'settings'], config));
    }
  }
}

function checkAgainst(schema: unknown, value: unknown, path: readonly string[], document: unknown): ConfigIssue[] {
  const checker = checkerOf(schema);
  if (!checker.ok)
    return [{ path: path.join('.'), code: 'bad_schema', message: `the schema of these settings cannot be used: ${checker.error}`, fix: 'update the plugin' }];
  const parsed = checker.value.safeParse(value);
  if (parsed.success) return [];
  return parsed.error.issues.flatMap((issue) => describeIssue({ ...issue, path: [...path, ...issue.path] } as z.core.$ZodIssue, document));
}

/** A heartbeat or job that answers into a channel that does not exist would answer nowhere. */
function checkTargets(config: TenantConfig, channels: readonly string[], issues: ConfigIssue[]): void {
  const allowed = ['last', 'none', ...channels];
  const check = (target: string | undefined, path: readonly (string | number)[]) => {
    if (target === undefined || allowed.includes(target.trim().toLowerCase())) return;
    const message = target.trim() === '' ? 'must not be empty' : 'is neither last nor none nor a known channel';
    issues.push({
      path: path.join('.'),
      code: 'bad_target',
      message,
      value: quoteValue(config, path),
      ...meant(target.trim(), allowed, `use one of: ${allowed.join(', ')}`),
    });
  };
  check(config.heartbeat?.target, ['heartbeat', 'target']);
  check(config.agents.defaults?.heartbeat?.target, ['agents', 'defaults', 'heartbeat', 'target']);
  for (const [index, agent] of config.agents.list.entries()) check(agent.heartbeat?.target, ['agents', 'list', index, 'heartbeat', 'target']);
  for (const [index, job] of (config.cron?.jobs ?? []).entries()) check(job.target, ['cron', 'jobs', index, 'target']);
}

function meant(text: string, candidates: readonly string[], otherwise?: string): { fix: string } {
  const guess = suggest(text, candidates);
  if (guess !== undefined) return { fix: `did you mean ${guess}?` };
  return { fix: otherwise ?? (candidates.length === 0 ? 'remove it' : `known: ${candidates.join(', ')}`) };
}
