import type { z } from 'zod';
import { plainSecrets } from '../secrets/plain-secrets.js';
import { fieldOf } from './unique.js';

type Path = (string | number)[];

/** Checks between parts of the document. They run even when parts are wrong in themselves, so they expect any shape. */
export function crossChecks(config: unknown, context: z.core.$RefinementCtx): void {
  const report = (code: string, path: Path, message: string) => context.addIssue({ code: 'custom', params: { code }, path, message });
  knownAgents(config, report);
  knownDefaultAccounts(config, report);
  for (const { path, message } of plainSecrets(config)) report('plain_secret', path, message);
}

type Report = (code: string, path: Path, message: string) => void;

/** A binding or job of an agent that does not exist would send messages nowhere. */
function knownAgents(config: unknown, report: Report): void {
  const agents = fieldOf(config, 'agents');
  const list = fieldOf(agents, 'list');
  // An absent list is the one agent `main`; a list that is no list is reported by itself.
  if (list !== undefined && !Array.isArray(list)) return;
  const known = new Set(list === undefined ? ['main'] : list.map((agent) => fieldOf(agent, 'id')));
  const check = (entries: unknown, path: Path) => {
    if (!Array.isArray(entries)) return;
    for (const [index, entry] of entries.entries()) {
      const agentId = fieldOf(entry, 'agentId');
      if (typeof agentId === 'string' && !known.has(agentId))
        report('unknown_agent', [...path, index, 'agentId'], `${JSON.stringify(agentId)} is not in agents.list`);
    }
  };
  check(fieldOf(config, 'bindings'), ['bindings']);
  check(fieldOf(fieldOf(config, 'cron'), 'jobs'), ['cron', 'jobs']);
  for (const [id, server] of Object.entries(Object(fieldOf(fieldOf(config, 'mcp'), 'servers')))) {
    const agents = fieldOf(server, 'agents');
    for (const [index, agentId] of (Array.isArray(agents) ? agents : []).entries()) {
      if (typeof agentId === 'string' && !known.has(agentId))
        report('unknown_agent', ['mcp', 'servers', id, 'agents', index], `${JSON.stringify(agentId)} is not in agents.list`);
    }
  }
  const mail = fieldOf(fieldOf(fieldOf(config, 'hooks'), 'gmail'), 'agentId');
  if (typeof mail === 'string' && mail !== '' && !known.has(mail))
    report('unknown_agent', ['hooks', 'gmail', 'agentId'], `${JSON.stringify(mail)} is not in agents.list`);
}

function knownDefaultAccounts(config: unknown, report: Report): void {
  const channels = fieldOf(config, 'channels');
  if (typeof channels !== 'object' || channels === null) return;
  for (const [id, channel] of Object.entries(channels)) {
    const wanted = fieldOf(channel, 'defaultAccount');
    if (typeof wanted !== 'string' || fieldOf(fieldOf(channel, 'accounts'), wanted) !== undefined) continue;
    report('unknown_account', ['channels', id, 'defaultAccount'], `${JSON.stringify(wanted)} is not in channels.${id}.accounts`);
  }
}
