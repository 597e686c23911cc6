import { Controller } from '@nestjs/common';
import { Ctx } from '@nestjs/microservices';
import type { Delivery, Outcome } from '@plexus/bus';
import { Consume } from '@plexus/bus/nest';
import { CONSUMERS, type DataOf, routingContracts } from '@plexus/contracts';
import { PersonEraser } from '../postgres/person-eraser.js';

/** The scheduler's part of forgetting a person. */
@Controller()
export class ErasureController {
  constructor(private readonly eraser: PersonEraser) {}

  @Consume(CONSUMERS.schedulerErase, { concurrency: 1, contracts: [routingContracts.eraseRequested] })
  async onRequested(@Ctx() { tenant, data }: Delivery<DataOf<typeof routingContracts.eraseRequested>>): Promise<Outcome> {
    await this.eraser.erase(tenant, data.user, data.erasureId);
    return { kind: 'done' };
  }
}
