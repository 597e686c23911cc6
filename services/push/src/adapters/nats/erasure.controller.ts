import { Controller } from '@nestjs/common';
import { Ctx } from '@nestjs/microservices';
import type { Delivery, Outcome } from '@plexus/bus';
import { Consume } from '@plexus/bus/nest';
import { CONSUMERS, type DataOf, routingContracts } from '@plexus/contracts';
import { PersonLog } from './person-log.js';
import { PersonEraser } from '../postgres/person-eraser.js';

/** Push's part of forgetting a person. */
@Controller()
export class ErasureController {
  constructor(
    private readonly eraser: PersonEraser,
    private readonly personLog: PersonLog,
  ) {}

  @Consume(CONSUMERS.pushErase, { concurrency: 1, contracts: [routingContracts.eraseRequested] })
  async onRequested(@Ctx() { tenant, data }: Delivery<DataOf<typeof routingContracts.eraseRequested>>): Promise<Outcome> {
    // First what would be decided, then what was. Once more for inputs that a decider had read already, and what came of them.
    await this.personLog.erase(tenant, data.user);
    for (let pass = 0; pass < 2; pass += 1) {
      await this.eraser.erase(tenant, data.user, data.erasureId);
      await this.personLog.erase(tenant, data.user);
    }
    // Only now: whoever comes back on the receipt must not be erased once more.
    await this.eraser.finish(tenant, data.user, data.erasureId);
    return { kind: 'done' };
  }
}
