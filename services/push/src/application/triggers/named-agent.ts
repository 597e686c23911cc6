import { errors } from '@plexus/contracts';
import type { Owner } from '../ports.js';
import type { AgentDirectory } from './trigger-ports.js';

interface Named {
  readonly agentId?: string | undefined;
  readonly sessionKey?: string | undefined;
}

/** The agent that a key of a session names, as routing reads keys. */
const AGENT_OF_KEY = /^\s*agent:([^:]*)/i;

/**
 * A task with the agent that it names as routing writes it. What names an agent that nobody configured would fail each time that it runs, so
 * it is refused when it is said: with INVALID_REQUEST and the field. Rejects with UNAVAILABLE while routing cannot be asked.
 */
export async function withKnownAgent<T extends Named>(agents: AgentDirectory, owner: Owner, task: T, at: string): Promise<T> {
  const { agentId, sessionKey } = task;
  const ofKey = sessionKey === undefined ? undefined : AGENT_OF_KEY.exec(sessionKey)?.[1];
  const [named, keyed] = [await known(agents, owner, agentId, `${at}/agentId`), await known(agents, owner, ofKey, `${at}/sessionKey`)];
  if (named !== undefined && keyed !== undefined && named !== keyed) throw refused(`${at}/sessionKey`, 'the session belongs to another agent', keyed);
  return named === undefined || named === agentId ? task : { ...task, agentId: named };
}

async function known(agents: AgentDirectory, owner: Owner, wanted: string | undefined, path: string): Promise<string | undefined> {
  if (wanted === undefined) return undefined;
  const id = await agents.idOf(owner, wanted);
  if (id === undefined) throw refused(path, 'no such agent is configured', wanted);
  return id;
}

function refused(path: string, message: string, agentId: string): Error {
  return errors.create('INVALID_REQUEST', { message: `${path.slice(1)}: ${message}`, details: { agentId, issues: [{ path, message }] } });
}
