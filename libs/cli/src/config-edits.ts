import { bindingKey } from '@plexus/agent-config';
import type { Document } from './config-client.js';
import { CommandFailure, EXIT } from './exit-code.js';

/** Changes of a configuration document: each takes one and returns it changed, or says why not. What is legal is decided by the service. */

export interface Binding {
  readonly agentId: string;
  readonly comment?: string;
  readonly match: {
    readonly channel: string;
    readonly accountId?: string;
    readonly peer?: { readonly kind: string; readonly id: string };
    readonly guildId?: string;
    readonly teamId?: string;
    readonly roles?: readonly string[];
  };
}

type Agent = { readonly id: string; readonly [setting: string]: unknown };

/** The document's agents; the one that everybody has when none is written. */
export function agentsOf(document: Document): Agent[] {
  const list = (document.agents as { list?: Agent[] } | undefined)?.list;
  return list ?? [{ id: 'main', default: true }];
}

export const bindingsOf = (document: Document): Binding[] => (document.bindings as Binding[] | undefined) ?? [];

const withAgents = (document: Document, list: readonly Agent[]): Document => ({ ...document, agents: { ...(document.agents as object | undefined), list } });

export function addAgent(document: Document, agent: Agent): Document {
  const agents = agentsOf(document);
  if (agents.some(({ id }) => id === agent.id)) throw failure(`There is an agent ${agent.id} already.`, '`plexus agents update` changes it.', 'CONFLICT');
  return withAgents(document, [...(agent.default === true ? agents.map(withoutDefault) : agents), agent]);
}

/** Sets what is given; `null` removes a setting. */
export function updateAgent(document: Document, id: string, settings: Record<string, unknown>): Document {
  const agents = agentsOf(document);
  if (!agents.some((agent) => agent.id === id)) throw unknownAgent(id, agents);
  const others = settings.default === true ? withoutDefault : (agent: Agent) => agent;
  const list = agents.map((agent) => {
    if (agent.id !== id) return others(agent);
    const changed = { ...agent, ...settings };
    return Object.fromEntries(Object.entries(changed).filter(([, value]) => value !== null)) as Agent;
  });
  return withAgents(document, list);
}

/** Removes an agent; with `force` its bindings too. */
export function removeAgent(document: Document, id: string, force: boolean): Document {
  const agents = agentsOf(document);
  if (!agents.some((agent) => agent.id === id)) throw unknownAgent(id, agents);
  const bound = bindingsOf(document).filter(({ agentId }) => agentId === id).length;
  if (bound > 0 && !force)
    throw failure(
      `${bound} binding${bound === 1 ? '' : 's'} send messages to ${id}.`,
      '`plexus binds ls` shows them; --force removes them with the agent.',
      'CONFLICT',
    );
  const rest = withAgents(
    document,
    agents.filter((agent) => agent.id !== id),
  );
  return bound === 0 ? rest : { ...rest, bindings: bindingsOf(document).filter(({ agentId }) => agentId !== id) };
}

/** What became of a binding that was asked for. */
export type Bound = { readonly outcome: 'added' | 'identical' | 'replaced'; readonly document: Document; readonly index: number; readonly previous?: string };

/** Adds a binding. One that is there already is skipped; one of the same match for another agent is refused, or with `force` replaced. */
export function bind(document: Document, binding: Binding, force: boolean): Bound {
  const bindings = bindingsOf(document);
  const key = bindingKey(binding as never);
  const index = bindings.findIndex((other) => bindingKey(other as never) === key);
  if (index === -1) return { outcome: 'added', document: { ...document, bindings: [...bindings, binding] }, index: bindings.length };
  const existing = bindings[index] as Binding;
  if (existing.agentId === binding.agentId) return { outcome: 'identical', document, index };
  if (!force) {
    throw failure(
      `Binding ${index} sends the same messages to ${existing.agentId} (${describeMatch(existing)}); only the first of two takes effect.`,
      'Use --force to give them to the new agent instead.',
      'CONFLICT',
    );
  }
  return { outcome: 'replaced', document: { ...document, bindings: bindings.with(index, binding) }, index, previous: existing.agentId };
}

/** Removes the bindings that match: by position, or by the same match (and agent, when given). */
export function unbind(
  document: Document,
  which: { readonly index: number } | { readonly binding: Omit<Binding, 'agentId'> & { readonly agentId?: string } },
): {
  document: Document;
  removed: Binding[];
} {
  const bindings = bindingsOf(document);
  const isMeant = (binding: Binding, index: number): boolean => {
    if ('index' in which) return index === which.index;
    const { agentId } = which.binding;
    return bindingKey(binding as never) === bindingKey(which.binding as never) && (agentId === undefined || binding.agentId === agentId);
  };
  const removed = bindings.filter(isMeant);
  if (removed.length === 0) throw failure('There is no such binding.', '`plexus binds ls` shows those that are there.', 'NOT_FOUND');
  return { document: { ...document, bindings: bindings.filter((binding, index) => !isMeant(binding, index)) }, removed };
}

/** `telegram/work dm:42`, as people read it. */
export function describeMatch({ match }: Pick<Binding, 'match'>): string {
  const { channel, accountId, peer, guildId, teamId, roles } = match;
  return [
    accountId === undefined ? channel : `${channel}/${accountId}`,
    ...(peer === undefined ? [] : [`${peer.kind}:${peer.id}`]),
    ...(guildId === undefined ? [] : [`guild ${guildId}`]),
    ...(teamId === undefined ? [] : [`team ${teamId}`]),
    ...(roles === undefined ? [] : [`roles ${roles.join(', ')}`]),
  ].join(' ');
}

export interface ModelToAdd {
  readonly provider: string;
  readonly model: string;
  readonly baseUrl?: string | undefined;
  readonly apiKey?: unknown;
  readonly contextWindow?: number | undefined;
  readonly maxTokens?: number | undefined;
  readonly makeDefault: boolean;
}

type Provider = { baseUrl?: string; apiKey?: unknown; models?: { id: string }[] };

const modelsOf = (document: Document) => (document.models ?? {}) as { providers?: Record<string, Provider>; default?: string; fallbacks?: string[] };

/** Adds a model, and its provider when it is new; an existing one is changed. */
export function addModel(document: Document, order: ModelToAdd): Document {
  const models = modelsOf(document);
  const provider = models.providers?.[order.provider];
  const baseUrl = order.baseUrl ?? provider?.baseUrl;
  if (baseUrl === undefined) throw failure(`Provider ${order.provider} is new: where is it?`, 'Give its address with --base-url.', 'USAGE', EXIT.usage);
  const entry = {
    id: order.model,
    ...(order.contextWindow !== undefined && { contextWindow: order.contextWindow }),
    ...(order.maxTokens !== undefined && { maxTokens: order.maxTokens }),
  };
  const others = (provider?.models ?? []).filter(({ id }) => id !== order.model);
  const known = provider?.models?.find(({ id }) => id === order.model);
  const changed = { ...provider, baseUrl, ...(order.apiKey !== undefined && { apiKey: order.apiKey }), models: [...others, { ...known, ...entry }] };
  return {
    ...document,
    models: {
      ...models,
      providers: { ...models.providers, [order.provider]: changed },
      ...(order.makeDefault && { default: `${order.provider}/${order.model}` }),
    },
  };
}

/** Removes a model, or a whole provider. What still refers to it is found by the validation. */
export function removeModel(document: Document, providerId: string, model: string | undefined): Document {
  const models = modelsOf(document);
  const provider = models.providers?.[providerId];
  if (provider === undefined) throw failure(`There is no model provider ${providerId}.`, '`plexus model ls` shows those that are there.', 'NOT_FOUND');
  const { [providerId]: _removed, ...others } = models.providers ?? {};
  if (model === undefined) return { ...document, models: { ...models, providers: others } };
  const rest = (provider.models ?? []).filter(({ id }) => id !== model);
  if (rest.length === (provider.models ?? []).length)
    throw failure(`Provider ${providerId} has no model ${model}.`, '`plexus model ls` shows those that are there.', 'NOT_FOUND');
  return { ...document, models: { ...models, providers: { ...others, [providerId]: { ...provider, models: rest } } } };
}

/** Sets a value at a dotted path; numbers are positions in lists. */
export function setAt(document: Document, path: string, value: unknown): Document {
  return changeAt(document, path.split('.'), path, () => value) as Document;
}

/** Removes the setting at a dotted path. */
export function unsetAt(document: Document, path: string): Document {
  return changeAt(document, path.split('.'), path, (present) => {
    if (present === undefined) throw failure(`There is nothing at ${path}.`, '`plexus config get` shows what is there.', 'NOT_FOUND');
    return undefined;
  }) as Document;
}

/** The value at a dotted path; undefined where there is none. */
export function valueAt(document: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (value, name) => (typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Document)[name] : undefined),
      document,
    );
}

function changeAt(value: unknown, [name, ...rest]: readonly string[], path: string, change: (present: unknown) => unknown): unknown {
  if (name === undefined) return change(value);
  if (name === '' || ['__proto__', 'constructor', 'prototype'].includes(name))
    throw failure(`${JSON.stringify(path)} is not a path.`, 'Write agents.list.0.name.', 'USAGE', EXIT.usage);
  if (Array.isArray(value)) {
    const index = Number(name);
    if (!/^[0-9]+$/.test(name) || index > value.length)
      throw failure(`${path}: a list has positions 0 to ${value.length}, not ${name}.`, undefined, 'USAGE', EXIT.usage);
    const changed = changeAt(value[index], rest, path, change);
    return changed === undefined ? value.toSpliced(index, 1) : value.toSpliced(index, 1, changed);
  }
  if (value !== undefined && (typeof value !== 'object' || value === null))
    throw failure(`${path}: there is a ${typeof value} where an object would have to be.`, undefined, 'USAGE', EXIT.usage);
  const { [name]: present, ...others } = (value ?? {}) as Document;
  const changed = changeAt(present, rest, path, change);
  return changed === undefined ? others : { ...(value as Document | undefined), [name]: changed };
}

const withoutDefault = ({ default: _default, ...agent }: Agent): Agent => agent as Agent;

function unknownAgent(id: string, agents: readonly Agent[]): CommandFailure {
  return failure(`There is no agent ${id}.`, `There are: ${agents.map((agent) => agent.id).join(', ') || 'none'}.`, 'NOT_FOUND');
}

function failure(message: string, hint: string | undefined, code: string, exitCode: number = EXIT.failed): CommandFailure {
  return new CommandFailure(message, exitCode, hint, code);
}
