import type { Hints, RunAddress, RunCommand, RunStore, Steer, Touched } from './ports.js';

/** Start, cancel and steer. Each is one transaction that a redelivery repeats without effect; the hints after it may be lost. */
export class RunCommands {
  constructor(
    private readonly runs: RunStore,
    private readonly hints: Hints,
    private readonly newVmId: () => string,
  ) {}

  async start(address: RunAddress, scopeKey: string, command: RunCommand, traceparent: string | undefined): Promise<void> {
    this.hint(address.tenant, await this.runs.start(address, scopeKey, command, traceparent, this.newVmId()));
  }

  async cancel(address: RunAddress, reason: string): Promise<void> {
    this.hint(address.tenant, await this.runs.cancel(address, reason));
  }

  /** `unknown`: the start has not arrived; try again. `over`: there is nothing to steer. */
  async steer(address: RunAddress, steer: Steer): Promise<'queued' | 'unknown' | 'over'> {
    const { kind, touched } = await this.runs.steer(address, steer);
    this.hint(address.tenant, touched);
    return kind;
  }

  private hint(tenant: string, touched: Touched): void {
    if (touched === undefined) return;
    if (touched.queued) this.hints.out(tenant, touched.vmId);
    else this.hints.wake(tenant, touched.vmId);
  }
}
