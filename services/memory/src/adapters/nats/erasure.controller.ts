import { Controller } from '@nestjs/common';
import { Ctx } from '@nestjs/microservices';
import type { Delivery, Outcome } from '@plexus/bus';
import { Consume } from '@plexus/bus/nest';
import { CONSUMERS, type DataOf, routingContracts } from '@plexus/contracts';
import { systemClock } from '@plexus/kernel';
import { PersonEraser } from '../postgres/person-eraser.js';
import { PurgeWaitingWrites } from './waiting-writes.js';

/** Memory's part of forgetting a person. */
@Controller()
export class ErasureController {
  constructor(
    private readonly eraser: PersonEraser,
    private readonly waiting: PurgeWaitingWrites,
  ) {}

  @Consume(CONSUMERS.memoryErase, { concurrency: 1, contracts: [routingContracts.eraseRequested] })
  async onRequested(@Ctx() { tenant, data }: Delivery<DataOf<typeof routingContracts.eraseRequested>>): Promise<Outcome> {
    // Otherwise it would be written right behind the erasure.
    await this.waiting.purge(tenant, { kind: 'user', id: data.user });
    await this.eraser.erase(tenant, data.user, data.erasureId, new Date(systemClock.now()));
    return { kind: 'done' };
  }
}
