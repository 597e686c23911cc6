import type { TenantConfigInput } from '@plexus/agent-config';
import { normaliseAccountId, normaliseAgentId } from '@plexus/routing-core';
import { Draft, item } from './draft.js';
import { mapAgents } from './map-agents.js';
import { mapChannels } from './map-channels.js';
import { ModelReferences } from './map-models.js';
import { mapJobs } from './map-schedules.js';
import { mapFreeText, variableName } from './map-secret.js';
import { mapTools } from './map-tools.js';
import { type NeededVariable, type NotTaken, type Place, Reading } from './reading.js';
import { reasonFor } from './reasons.js';

/** What becomes of a configuration of OpenClaw. */
export interface MappedConfig {
  /** A valid document of a tenant, without secrets. */
  readonly document: TenantConfigInput;
  /** Everything that is not in it. */
  readonly notTaken: readonly NotTaken[];
  /** What is in it and means something slightly else. */
  readonly notes: readonly { readonly path: string; readonly note: string }[];
  readonly variables: readonly NeededVariable[];
}

const QUEUE_MODES: Readonly<Record<string, string>> = { queue: 'followup', 'steer-backlog': 'steer', 'steer+backlog': 'steer' };

/**
 * Maps a configuration of a single OpenClaw gateway (`openclaw.json` with its includes, and its cron jobs) to the document of a tenant. Whatever the
 * input: the result is valid, holds no secret, and together with `notTaken` accounts for every setting.
 */
export function mapConfig(config: unknown, jobs: readonly unknown[] = []): MappedConfig {
  const reading = new Reading({ ...Object(config), ...(jobs.length > 0 && { cron_jobs: jobs }) });
  const { root } = reading;
  const draft = new Draft();
  const models = new ModelReferences([root.at('agents', 'defaults', 'models'), root.at('agent', 'models')]);
  const agentIds = mapAgents(root, draft, models);
  mapBindings(root.at('bindings'), agentIds, draft);
  mapSession(root.at('session'), draft);
  for (const queue of [root.at('routing', 'queue'), root.at('messages', 'queue')]) mapQueue(queue, draft);
  mapTools(root.at('tools'), draft);
  mapChannels(root.at('channels'), draft);
  mapServers(root.at('mcp', 'servers'), draft);
  mapVariables(root.at('env'), draft);
  for (const name of ['mode', 'debounceMs'])
    draft.put(['gateway', 'reload', name], root.at('gateway', 'reload', name).take(), root.at('gateway', 'reload', name));
  mapJobs(root.at('cron_jobs'), agentIds, root.at('cron', 'enabled').flag() ?? true, draft);
  models.writeProviders(root.at('models', 'providers'), draft);
  // Rules of the document may send parts back: what is left over is known only after that.
  const document = draft.finish();
  reading.leaveRest(reasonFor);
  const held = JSON.stringify(document);
  const variables = new Map(reading.variables.filter(({ name }) => held.includes(`\${${name}}`)).map((variable) => [variable.name, variable]));
  return { document, notTaken: reading.notTaken, notes: reading.notes, variables: [...variables.values()] };
}

function mapBindings(bindings: Place, agentIds: ReadonlySet<string>, draft: Draft): void {
  for (const [index, binding] of bindings.entries().entries()) {
    const [type, agent, match] = [binding.at('type').value, binding.at('agentId').text(), binding.at('match')];
    const agentId = normaliseAgentId(agent);
    if (type !== undefined && type !== 'route') binding.leave(reasonFor(['bindings']));
    else if (agent === undefined || !agentIds.has(agentId)) binding.leave('its agent is not in the list');
    else {
      binding.at('type').take();
      const accountId = match.at('accountId').text();
      const [kind, id] = [match.at('peer', 'kind').text(), match.at('peer', 'id').text() ?? match.at('peer', 'id').number()?.toString()];
      const mapped = {
        channel: match.at('channel').text()?.toLowerCase(),
        accountId: accountId === undefined || accountId === '*' ? accountId : normaliseAccountId(accountId),
        ...(match.at('peer').value !== undefined && { peer: { kind: kind === 'dm' ? 'direct' : kind, id } }),
        guildId: match.at('guildId').text(),
        teamId: match.at('teamId').text(),
        roles: match.at('roles').texts(),
      };
      const comment = binding.at('comment').text();
      draft.put(['bindings', item(index)], { agentId, ...(comment !== undefined && { comment }), match: present(mapped) }, binding);
    }
  }
}

function mapSession(session: Place, draft: Draft): void {
  for (const name of ['dmScope', 'mainKey', 'scope']) draft.put(['session', name], session.at(name).text(), session.at(name));
  for (const link of session.at('identityLinks').entries()) draft.put(['session', 'identityLinks', link.name], link.texts(), link);
}

function mapQueue(queue: Place, draft: Draft): void {
  const modeOf = (place: Place): string | undefined => {
    const text = place.text();
    if (text === undefined || !Object.hasOwn(QUEUE_MODES, text)) return text;
    place.note(`it is called ${QUEUE_MODES[text]} here`);
    return QUEUE_MODES[text];
  };
  const target = ['messages', 'queue'];
  draft.put([...target, 'mode'], modeOf(queue.at('mode')), queue.at('mode'));
  for (const name of ['debounceMs', 'cap']) draft.put([...target, name], queue.at(name).number(), queue.at(name));
  for (const channel of queue.at('byChannel').entries()) draft.put([...target, 'byChannel', channel.name, 'mode'], modeOf(channel), channel);
}

function mapServers(servers: Place, draft: Draft): void {
  for (const server of servers.entries()) {
    const id = normaliseAgentId(server.name);
    if (id !== server.name) server.note(`it is called ${id} here`);
    const texts = (name: string) =>
      Object.fromEntries(
        server
          .at(name)
          .entries()
          .flatMap((value) => {
            const text = mapFreeText(value, variableName(id, value.name));
            return text === undefined ? [] : [[value.name, text]];
          }),
      );
    const mapped = {
      enabled: server.at('enabled').flag(),
      command: server.at('command').text(),
      args: server.at('args').texts(),
      url: server.at('url').text(),
      ...(server.at('env').isObject && { env: texts('env') }),
      ...(server.at('headers').isObject && { headers: texts('headers') }),
    };
    draft.put(['mcp', 'servers', id], present(mapped), server);
  }
}

/** Plain values of variables; what may be a secret has to be set where the services run. */
function mapVariables(env: Place, draft: Draft): void {
  for (const variable of [...env.entries(), ...env.at('vars').entries()]) {
    if (typeof variable.value !== 'string') continue;
    draft.put(['env', variable.name], variable.text(), variable);
  }
}

function present<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}
