import type { ResponseOf, routingContracts } from '@plexus/contracts';
import { healthScore, orderAccounts } from '@plexus/routing-core';
import type { Owner } from '../domain/caller.js';
import type { RoutingStore } from './ports.js';
import type { StoredSend } from './send-ports.js';
import type { TenantSettings, TenantSnapshot } from './tenant-settings.js';

type Health = ResponseOf<typeof routingContracts.channelHealth>['accounts'];

/** What became of sends, and how channel accounts are. */
export class ReadDelivery {
  constructor(
    private readonly store: RoutingStore,
    private readonly settings: TenantSettings,
    private readonly now: () => number,
  ) {}

  async send({ tenant, owner }: Owner, sendId: string): Promise<routingContracts.SendSummary | undefined> {
    const send = await this.store.transaction((tx) => tx.sends.find(tenant, owner, sendId));
    return send && this.summarise(send);
  }

  /** Every configured account, channel by channel, best first. */
  async health(tenant: string, snapshot: TenantSnapshot, channel?: string): Promise<Health> {
    const configured = this.settings.accounts(snapshot, channel);
    const found: Health = [];
    for (const name of new Set(configured.map(({ adapter }) => adapter))) {
      const ids = configured.filter(({ adapter }) => adapter === name).map(({ accountId }) => accountId);
      const standings = await this.store.transaction((tx) => tx.sends.lockAccounts(tenant, name, ids));
      const now = this.now();
      for (const { accountId } of orderAccounts(standings, now)) {
        const standing = standings.find((one) => one.accountId === accountId);
        if (!standing) continue;
        const { circuit, health } = standing;
        const { lastFailureAt, lastSuccessAt } = health;
        found.push({
          ...{ channel: name, accountId, breaker: circuit.state, failures: circuit.failures, score: healthScore(health, now) },
          ...(lastFailureAt !== undefined && Number.isFinite(lastFailureAt) ? { lastFailureAt: new Date(lastFailureAt).toISOString() } : {}),
          ...(lastSuccessAt !== undefined && Number.isFinite(lastSuccessAt) ? { lastSuccessAt: new Date(lastSuccessAt).toISOString() } : {}),
        });
      }
    }
    return found;
  }

  summarise(send: StoredSend): routingContracts.SendSummary {
    const { sendId, status, route, sessionKey, attempt, messageId, error, createdAt, endedAt, sentAccountId } = send;
    return {
      ...{ sendId, status, channel: route.channel, accountId: sentAccountId ?? route.accountId, to: route.to, attempts: attempt },
      ...(route.threadId === undefined ? {} : { threadId: route.threadId }),
      ...(sessionKey === undefined ? {} : { sessionKey }),
      ...(messageId === undefined ? {} : { messageId }),
      ...(error === undefined ? {} : { error }),
      createdAt: createdAt.toISOString(),
      ...(endedAt === undefined ? {} : { endedAt: endedAt.toISOString() }),
    };
  }
}
