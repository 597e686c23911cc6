import { normaliseAgentId } from '@plexus/routing-core';
import { type Draft, item } from './draft.js';
import { milliseconds } from './duration.js';
import type { ModelReferences } from './map-models.js';
import { mapToolRules } from './map-tools.js';
import type { Place } from './reading.js';

const HOUR_MS = 3_600_000;

/** Agents in their order, the default one marked. Returns their ids as they are in the result. */
export function mapAgents(root: Place, draft: Draft, models: ModelReferences): Set<string> {
  const agents = root.at('agents');
  for (const defaults of [agents.at('defaults'), root.at('agent')]) mapSettings(defaults, ['agents', 'defaults'], draft, models);
  const listed = Array.isArray(agents.at('list').value) ? agents.at('list').entries() : agents.at('entries').entries();
  const named = listed.filter(({ isObject }) => isObject);
  if (named.length === 0) {
    draft.put(['agents', 'list', item(0)], { id: 'main', default: true, ...nameOf(root.at('identity')) }, agents);
    return new Set(['main']);
  }
  const chosen = Math.max(
    0,
    named.findIndex((agent) => agent.at('default').value === true),
  );
  const ids = new Set<string>();
  for (const [index, agent] of named.entries()) {
    const written = agent.at('id').text() ?? agent.name;
    const id = normaliseAgentId(written);
    if (ids.has(id)) {
      agent.leave(`another agent is ${id} as well`);
      continue;
    }
    ids.add(id);
    if (id !== written) agent.note(`it is called ${id} here`);
    mapAgent(agent, id, index, draft, models);
    if (index === chosen) draft.put(['agents', 'list', item(index), 'default'], true, agent);
    agent.at('default').take();
  }
  return ids;
}

function mapAgent(agent: Place, id: string, index: number, draft: Draft, models: ModelReferences): void {
  const target = ['agents', 'list', item(index)];
  draft.put([...target, 'id'], id, agent);
  draft.put([...target, 'name'], agent.at('name').text() ?? nameOf(agent.at('identity')).name, agent);
  mapSettings(agent, target, draft, models);
}

const nameOf = (identity: Place): { name?: string } => {
  const name = identity.at('name').text();
  return name === undefined ? {} : { name };
};

/** What one agent and the defaults have in common. */
function mapSettings(from: Place, target: readonly string[], draft: Draft, models: ModelReferences): void {
  const put = (path: readonly string[], value: unknown, source: Place): void => void draft.put([...target, ...path], value, source);
  const { model, fallbacks } = models.choice(from.at('model'));
  put(['model'], model, from.at('model'));
  put(['models', 'fallbacks'], fallbacks, from.at('model', 'fallbacks'));
  put(['systemPrompt'], from.at('systemPromptOverride').text(), from.at('systemPromptOverride'));
  put(['skills'], from.at('skills').texts(), from.at('skills'));
  put(['contextTokens'], from.at('contextTokens').number(), from.at('contextTokens'));
  put(['contextPruning'], from.at('contextPruning', 'mode').text(), from.at('contextPruning', 'mode'));
  put(['temperature'], from.at('params', 'temperature').number(), from.at('params', 'temperature'));
  put(['maxTokens'], from.at('params', 'maxTokens').number(), from.at('params', 'maxTokens'));
  mapHeartbeat(from.at('heartbeat'), [...target, 'heartbeat'], draft);
  mapSandbox(from.at('sandbox'), [...target, 'sandbox'], draft);
  mapToolRules(from.at('tools'), [...target, 'tools'], draft);
}

function mapHeartbeat(heartbeat: Place, target: readonly string[], draft: Draft): void {
  const every = heartbeat.at('every');
  const everyMs = milliseconds(every.value, 'm');
  if (everyMs !== undefined) draft.put([...target, 'everyMs'], every.take() === undefined ? undefined : everyMs, every);
  draft.put([...target, 'message'], heartbeat.at('prompt').text(), heartbeat.at('prompt'));
}

function mapSandbox(sandbox: Place, target: readonly string[], draft: Draft): void {
  draft.put([...target, 'scope'], sandbox.at('scope').text(), sandbox.at('scope'));
  draft.put([...target, 'perSession'], sandbox.at('perSession').flag(), sandbox.at('perSession'));
  const [idle, age] = [sandbox.at('prune', 'idleHours'), sandbox.at('prune', 'maxAgeDays')];
  draft.put([...target, 'prune', 'idleMs'], inMilliseconds(idle.number(), HOUR_MS), idle);
  draft.put([...target, 'prune', 'maxAgeMs'], inMilliseconds(age.number(), 24 * HOUR_MS), age);
}

const inMilliseconds = (count: number | undefined, unitMs: number): number | undefined => (count === undefined ? undefined : Math.round(count * unitMs));
