import type { Bus } from '@plexus/bus';
import { vmContracts } from '@plexus/contracts';
import type { Hints } from '../../application/ports.js';

/** Core NATS signals. What cannot be sent is noticed by the next scan or beat, so a failure is only counted in the log. */
export class BusHints implements Hints {
  constructor(
    private readonly bus: Pick<Bus, 'publishLive'>,
    /** This process need not wait for its own echo. */
    private readonly onWake: (vmId: string) => void,
    private readonly log: { debug(fields: object, message: string): void },
  ) {}

  wake(tenant: string, vmId: string): void {
    this.onWake(vmId);
    this.send(() => this.bus.publishLive(vmContracts.vmWake, tenant, [vmId], {}), vmId);
  }

  out(tenant: string, vmId: string): void {
    this.send(() => this.bus.publishLive(vmContracts.vmOut, tenant, [vmId], {}), vmId);
  }

  private send(publish: () => void, vmId: string): void {
    try {
      publish();
    } catch (error) {
      this.log.debug({ vmId, err: error }, 'a hint could not be sent');
    }
  }
}
