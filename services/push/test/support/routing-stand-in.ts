import { plexusError, routingContracts as routing } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import type { RunningService } from '@plexus/service-kit';

interface Accepted {
  readonly runId: string;
  readonly user: string;
  readonly role: string;
  readonly message: string;
  readonly sessionKey: string;
  answer?: string;
}

/** Routing's part in research: takes messages, and answers runs when the test says so. */
export class RoutingStandIn {
  readonly accepted: Accepted[] = [];
  /** How often a message was handed over, repetitions included. */
  calls = 0;

  constructor({ context: { bus } }: RunningService) {
    bus.serve(routing.acceptMessage, async ({ message, idempotencyKey = ulid(), sessionKey = 'main' }, { principal }) => {
      this.calls += 1;
      const known = this.accepted.find(({ runId }) => runId === idempotencyKey);
      if (known === undefined)
        this.accepted.push({ runId: idempotencyKey, user: principal.user ?? '', role: principal.role, message, sessionKey: `agent:main:${sessionKey}` });
      return {
        runId: idempotencyKey,
        sessionId: ulid(),
        sessionKey: `agent:main:${sessionKey}`,
        agentId: 'main',
        status: known === undefined ? ('accepted' as const) : ('in_flight' as const),
      };
    });
    bus.serve(routing.getRun, async ({ runId, sessionKey = '' }, { principal }) => {
      const run = this.accepted.find((one) => one.runId === runId && one.user === principal.user);
      if (run === undefined) throw plexusError('NOT_FOUND');
      const common = { runId, sessionId: ulid(), sessionKey, createdAt: new Date(0).toISOString() };
      return { run: run.answer === undefined ? { ...common, status: 'started' as const } : { ...common, status: 'ok' as const, text: run.answer } };
    });
    bus.serve(routing.sessionForUser, async ({ agentId = 'main' }) => {
      const id = agentId.trim().toLowerCase();
      if (id !== 'main') throw plexusError('NOT_FOUND', { message: 'No such agent is configured.', details: { agentId } });
      return { sessionKey: `agent:${id}:main`, agentId: id };
    });
    bus.serve(routing.cancelRun, async ({ runId }) => ({ aborted: true, runIds: runId === undefined ? [] : [runId] }));
  }
}
