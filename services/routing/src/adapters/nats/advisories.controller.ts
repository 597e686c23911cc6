import { Controller } from '@nestjs/common';
import { Ctx } from '@nestjs/microservices';
import { type Bus, type Delivery, type Outcome, parkExhausted } from '@plexus/bus';
import { Consume, InjectBus } from '@plexus/bus/nest';
import { CONSUMERS } from '@plexus/contracts';

/** Parks, for every consumer of the mesh, the messages that crashed their workers as often as they were delivered. */
@Controller()
export class AdvisoriesController {
  readonly #park: (delivery: Delivery) => Promise<Outcome>;

  constructor(@InjectBus() bus: Bus) {
    this.#park = parkExhausted(bus);
  }

  @Consume(CONSUMERS.dlqAdvisories, { format: 'json', concurrency: 2 })
  onAdvisory(@Ctx() delivery: Delivery): Promise<Outcome> {
    return this.#park(delivery);
  }
}
