import type { Bus } from '@plexus/bus';
import { type Principal, plexusError, routingContracts as routing } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';
import type { Owner } from '../../application/ports.js';
import type { AgentDirectory, AgentRun, AgentRuns, AgentTask } from '../../application/triggers/trigger-ports.js';

const OPEN = new Set(['queued', 'started']);
/** Routing is away or too slow. Nothing was done for whoever asked push, which is there. */
const AWAY: ReadonlySet<string> = new Set(['NO_RESPONDERS', 'TIMEOUT']);

/** Agents and their runs, asked of routing in the owner's name. */
export class MeshAgents implements AgentRuns, AgentDirectory {
  constructor(
    private readonly bus: Pick<Bus, 'call'>,
    private readonly service: (tenant: string, user: string) => Principal,
  ) {}

  async start(
    { tenant, user }: Owner,
    runId: string,
    task: AgentTask & { readonly sessionKey: string },
  ): Promise<{ readonly runId: string; readonly sessionKey: string }> {
    const { agentId, message, sessionKey, timeoutMs } = task;
    const data = { sessionKey, message, idempotencyKey: runId, timeoutMs, queueMode: 'followup' as const, ...(agentId === undefined ? {} : { agentId }) };
    const accepted = await this.bus.call(routing.acceptMessage, tenant, data, { principal: this.service(tenant, user) });
    return { runId: accepted.runId, sessionKey: accepted.sessionKey };
  }

  async idOf({ tenant, user }: Owner, agentId: string): Promise<string | undefined> {
    try {
      return (await this.bus.call(routing.sessionForUser, tenant, { agentId }, { principal: this.service(tenant, user) })).agentId;
    } catch (error) {
      if (!PlexusError.isPlexusError(error)) throw error;
      if (error.code === 'NOT_FOUND') return undefined;
      throw AWAY.has(error.code) ? plexusError('UNAVAILABLE', { cause: error }) : error;
    }
  }

  async find({ tenant, user }: Owner, runId: string, sessionKey: string): Promise<AgentRun | undefined> {
    const { run } = await this.bus.call(routing.getRun, tenant, { runId, sessionKey }, { principal: this.service(tenant, user) });
    if (run === undefined) return undefined;
    const { status, text, error } = run;
    const failed = status === 'cancelled' ? { code: 'CANCELLED', message: 'The run was cancelled.' } : error;
    return { open: OPEN.has(status), ok: status === 'ok', ...(text === undefined ? {} : { text }), ...(failed === undefined ? {} : { error: failed }) };
  }

  async cancel({ tenant, user }: Owner, runId: string, sessionKey: string): Promise<void> {
    try {
      await this.bus.call(routing.cancelRun, tenant, { sessionKey, runId, reason: 'timeout' }, { principal: this.service(tenant, user) });
    } catch (error) {
      // Routing ends it by its own time limit.
      if (!PlexusError.isPlexusError(error)) throw error;
    }
  }
}
