import { Controller, Inject } from '@nestjs/common';
import { Ctx } from '@nestjs/microservices';
import type { Delivery, Outcome } from '@plexus/bus';
import { Consume } from '@plexus/bus/nest';
import { CONSUMERS, type DataOf, runContracts, runEnd, sessionContracts } from '@plexus/contracts';
import { isStorableText, toStorableText } from '@plexus/kernel';
import { currentTraceparent } from '@plexus/telemetry';
import type { RunAddress, RunStore } from '../../application/ports.js';
import { RunCommands } from '../../application/run-commands.js';
import { RUN_STORE } from '../../tokens.js';

const { startRun, cancelRunCommand, steerRun } = runContracts;

/** An outage of the database must not make a command wait long after it is over. */
const BACKOFF = { baseMs: 250, capMs: 3_000 };
/** A steer that overtakes its start waits for it this many times. */
const MAX_STEER_WAITS = 20;

@Controller()
export class RunsController {
  constructor(
    private readonly commands: RunCommands,
    @Inject(RUN_STORE) private readonly runs: RunStore,
  ) {}

  /** Done as soon as the intent is committed; waiting for the VM happens outside the message. */
  @Consume(CONSUMERS.schedulerRun, { concurrency: 16, contracts: [startRun, cancelRunCommand, steerRun], backoff: BACKOFF })
  async onCommand(@Ctx() delivery: Delivery): Promise<Outcome> {
    const { sessionId, sessionKey, owner, agentId, runId } = (delivery.data ?? {}) as Partial<RunAddress>;
    const unstorable = [sessionId, sessionKey, owner, agentId, runId].some((name) => name !== undefined && !isStorableText(name));
    if (unstorable) return { kind: 'park', code: 'INVALID_REQUEST', reason: 'a name in the address of the run holds U+0000 or a lone surrogate' };
    switch (delivery.parsed?.name) {
      case startRun.name:
        return this.onStart(delivery as Delivery<DataOf<typeof startRun>>);
      case cancelRunCommand.name:
        return this.onCancel(delivery as Delivery<DataOf<typeof cancelRunCommand>>);
      case steerRun.name:
        return this.onSteer(delivery as Delivery<DataOf<typeof steerRun>>);
      default:
        return { kind: 'park', code: 'METHOD_NOT_FOUND', reason: `no such command: ${delivery.subject}` };
    }
  }

  private async onStart({ tenant, data }: Delivery<DataOf<typeof startRun>>): Promise<Outcome> {
    const { message, history, extraSystemPrompt, systemPrompt, model, modelProvider, contextTokens, fallbacks, timeoutMs, scopeKey, attachments } = data;
    const command = { message, history, extraSystemPrompt, systemPrompt, model, modelProvider, contextTokens, fallbacks, timeoutMs, attachments };
    await this.commands.start(addressOf(tenant, data), scopeKey, command, currentTraceparent());
    return { kind: 'done' };
  }

  private async onCancel({ tenant, data }: Delivery<DataOf<typeof cancelRunCommand>>): Promise<Outcome> {
    await this.commands.cancel(addressOf(tenant, data), toStorableText(data.reason));
    return { kind: 'done' };
  }

  private async onSteer({ tenant, data, event, seq, attempt }: Delivery<DataOf<typeof steerRun>>): Promise<Outcome> {
    const outcome = await this.commands.steer(addressOf(tenant, data), { id: event?.id ?? `seq-${seq}`, message: data.message });
    if (outcome !== 'unknown') return { kind: 'done' };
    if (attempt > MAX_STEER_WAITS) return { kind: 'park', code: 'RUN_NOT_FOUND', reason: 'the run that this would steer never started' };
    return { kind: 'retry', afterMs: 500, reason: 'the run has not started yet' };
  }

  /** Only ends matter here; everything else of the stream is let through without a look at the database. */
  @Consume(CONSUMERS.schedulerSessionEnds, { concurrency: 32, backoff: BACKOFF })
  async onSessionEvent(@Ctx() { tenant, data, seq }: Delivery): Promise<Outcome> {
    const type = (data as { event?: { type?: unknown } } | undefined)?.event?.type;
    if (type !== 'execution_complete' && type !== 'execution_error') return { kind: 'done' };
    const read = sessionContracts.sessionEvent.data.safeParse(data);
    // Routing reads the same stream and parks what does not fit; here it simply ends nothing.
    if (!read.success || read.data.runId === undefined || runEnd(read.data.event) === undefined) return { kind: 'done' };
    await this.runs.close(tenant, read.data.sessionId, read.data.runId, { seq, vmId: read.data.vmId, epoch: read.data.epoch });
    return { kind: 'done' };
  }
}

function addressOf(tenant: string, data: Omit<RunAddress, 'tenant'>): RunAddress {
  const { sessionId, sessionKey, owner, agentId, runId } = data;
  return { tenant, sessionId, sessionKey, owner, agentId, runId };
}
