import { bindingKey, mergePatch } from '@plexus/agent-config';
import type { Document } from '../config-client.js';
import { agentsOf, type Binding, bindingsOf } from '../config-edits.js';

type Named = { readonly id: string; readonly [setting: string]: unknown };

/**
 * What the tenant has already, with the imported document over it: agents and jobs by their id, bindings that are not there yet behind the others,
 * everything else setting by setting. Merging the same document again changes nothing.
 */
export function mergeDocument(document: Document, imported: Document): Document {
  const { agents, bindings, cron, ...rest } = imported as { agents?: { list?: Named[] }; bindings?: Binding[]; cron?: { jobs?: Named[] } } & Document;
  const { list = [], ...agentSettings } = agents ?? {};
  const merged = mergePatch(document, { ...rest, ...(Object.keys(agentSettings).length > 0 && { agents: agentSettings }) }) as Document;
  const chosen = list.some((agent) => agent.default === true);
  const own = agentsOf(document).map((agent) => (chosen ? withoutDefault(agent) : agent));
  const result: Document = { ...merged, agents: { ...(merged.agents as object | undefined), list: byId(own, list) } };
  const known = new Set(bindingsOf(document).map(keyOf));
  const fresh = (bindings ?? []).filter((binding) => !known.has(keyOf(binding)));
  if (fresh.length > 0) result.bindings = [...bindingsOf(document), ...fresh];
  if (cron?.jobs !== undefined) {
    const before = (document.cron ?? {}) as { jobs?: Named[] };
    result.cron = { ...before, jobs: byId(before.jobs ?? [], cron.jobs) };
  }
  return result;
}

const keyOf = (binding: Binding): string => `${binding.agentId} ${bindingKey(binding as never)}`;

function withoutDefault({ default: _default, ...agent }: Named): Named {
  return agent as Named;
}

/** Entries of one list with those of another over them; new ones come last. */
function byId(own: readonly Named[], imported: readonly Named[]): Named[] {
  const over = new Map(imported.map((entry) => [entry.id, entry]));
  const merged = own.map((entry) => (over.has(entry.id) ? (mergePatch(entry, over.get(entry.id)) as Named) : entry));
  return [...merged, ...imported.filter(({ id }) => !own.some((entry) => entry.id === id))];
}
