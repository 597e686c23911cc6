import type { TenantConfig } from '@plexus/agent-config';
import type { MaintenanceStore } from './maintenance-ports.js';

/** Sends are kept for a quarter of a year unless the tenant says otherwise. */
const DELIVERY_DAYS = 90;
/** Longer than the stream keeps messages: a repeat that can still come is still known. */
const INBOUND_DAYS = 14;

/** Removes what is older than the tenant wants it kept. */
export class PruneTables {
  constructor(
    private readonly store: MaintenanceStore,
    private readonly tenants: () => readonly string[],
    private readonly configOf: (tenant: string) => TenantConfig | undefined,
    /** Files of messages are kept so long, or as long as the messages if that is shorter. */
    private readonly attachmentDays: number,
  ) {}

  /** One round over all tenants; replicas may do it at the same time. */
  async round(): Promise<void> {
    for (const tenant of this.tenants()) {
      const { transcriptDays = 0, deliveryDays } = this.configOf(tenant)?.retention ?? {};
      const attachments = Math.min(this.attachmentDays, transcriptDays || this.attachmentDays);
      await this.store.prune(tenant, { transcripts: transcriptDays, deliveries: deliveryDays || DELIVERY_DAYS, inbound: INBOUND_DAYS, attachments });
    }
  }
}
