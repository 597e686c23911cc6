import { Controller } from '@nestjs/common';
import { Ctx } from '@nestjs/microservices';
import type { Delivery, Outcome } from '@plexus/bus';
import { Consume } from '@plexus/bus/nest';
import { CONSUMERS, type DataOf, sessionContracts } from '@plexus/contracts';
import { counter, histogram } from '@plexus/telemetry';
import { CloseRun } from '../../application/close-run.js';
import { ConfirmSteer } from '../../application/confirm-steer.js';
import type { StoredRun } from '../../application/ports.js';

const runs = counter('runs');
const runSeconds = histogram('runSeconds');
const AGAIN_MS = 300;
const ENDS = new Set(['execution_complete', 'execution_error']);

type SessionEventData = DataOf<typeof sessionContracts.sessionEvent>;

/** Reads the live events of all sessions for one thing only: the end of a run. */
@Controller()
export class SessionEndsController {
  constructor(
    private readonly closeRun: CloseRun,
    private readonly steering: ConfirmSteer,
  ) {}

  @Consume(CONSUMERS.routingSessionEnds, { concurrency: 16, maxMessages: 256, contracts: [sessionContracts.sessionEvent] })
  async onSessionEvent(@Ctx() delivery: Delivery<SessionEventData>): Promise<Outcome> {
    const { data, tenant, key, seq } = delivery;
    const { runId, event } = data;
    if (event.type === 'steer_accepted') await this.steering.execute(tenant, data.sessionId, runId, event.message_id);
    if (!ENDS.has(event.type) || runId === undefined) return { kind: 'done' };
    if (data.sessionId !== key[0]) return { kind: 'park', code: 'INVALID_EVENT', reason: 'sessionId differs from the key of the subject' };
    const { outcome, run } = await this.closeRun.execute({ tenant, sessionId: data.sessionId, runId, seq });
    if (outcome === 'not-yet-readable')
      return { kind: 'retry', afterMs: AGAIN_MS, reason: 'the server that keeps the stream is behind the one that delivered' };
    if (outcome === 'closed' && run) count(run, delivery.time);
    return { kind: 'done' };
  }
}

function count(run: StoredRun, endedAt: number): void {
  runs.add(1, { outcome: run.status });
  runSeconds.record(Math.max(0, endedAt - run.createdAt.getTime()) / 1_000);
}
