import { vmContracts as vm } from '@plexus/contracts';
import { hasCode } from '../../domain/client-error.js';
import type { VmIdentity, VmServices, VmWire } from './vm-ports.js';

/** After a failure; a token is good for three of its intervals. */
const RETRY_MS = 5_000;

/** Renews the token of one connection of a reliable runtime: at once, because nobody knows how old the one it came with is, and then in time. */
export class TokenRefresh {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stopped = false;

  constructor(
    private readonly identity: VmIdentity,
    private readonly services: VmServices,
    private readonly wire: VmWire,
    private readonly onFenced: (error: unknown) => void,
  ) {}

  start(): void {
    void this.turn();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private async turn(): Promise<void> {
    const { tenant, vmId, epoch, connGen } = this.identity;
    let nextMs = RETRY_MS;
    try {
      const answer = await this.services.mesh.call(vm.refreshVmToken, tenant, { vmId, epoch, connGen }, { principal: this.services.service(tenant) });
      if (this.stopped) return;
      this.wire.send(JSON.stringify({ type: 'token_refresh', token: answer.token }));
      nextMs = answer.refreshAfterMs;
    } catch (error) {
      if (this.stopped) return;
      if (hasCode(error, 'VM_FENCED')) {
        this.onFenced(error);
        return;
      }
      this.services.log.debug({ error, vmId }, 'a VM token could not be renewed and is tried again');
    }
    this.timer = setTimeout(() => void this.turn(), nextMs);
  }
}
