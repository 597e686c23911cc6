import { Controller } from '@nestjs/common';
import { Ctx } from '@nestjs/microservices';
import type { Delivery, Outcome } from '@plexus/bus';
import { Consume } from '@plexus/bus/nest';
import { CONSUMERS, type DataOf, sessionContracts } from '@plexus/contracts';
import { ManageVms } from '../../application/manage-vms.js';

const { sessionChanged } = sessionContracts;

/** Its runs were told to stop by whoever ended the session, and have an end half a minute later at the latest. */
const AGAIN_MS = 5_000;

/** Sessions that are over: deleted, or replaced by a new incarnation. */
@Controller()
export class SessionChangesController {
  constructor(private readonly vms: ManageVms) {}

  @Consume(CONSUMERS.schedulerSessionChanges, { concurrency: 4, contracts: [sessionChanged] })
  async onChanged(@Ctx() { tenant, data }: Delivery<DataOf<typeof sessionChanged>>): Promise<Outcome> {
    const over = data.change === 'deleted' ? data.sessionId : data.change === 'reset' ? data.previousSessionId : undefined;
    if (over === undefined || (await this.vms.forgetSession({ tenant, subject: data.owner }, over))) return { kind: 'done' };
    return { kind: 'retry', afterMs: AGAIN_MS, reason: 'a run of the session has no end yet' };
  }
}
