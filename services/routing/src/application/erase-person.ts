import type { TenantConfig } from '@plexus/agent-config';
import { plexusError, routingContracts } from '@plexus/contracts';
import type { ChannelIdentity, ErasureRecord, MaintenanceStore } from './maintenance-ports.js';
import type { Outgoing, RoutingStore } from './ports.js';
import type { PersonTraits } from '../domain/letter-owner.js';
import { runCancel } from './outgoing.js';

/** Removes events of sessions from the stream that keeps them. */
export interface SessionStreamEraser {
  /** Returns how many messages were removed. */
  purge(tenant: string, sessionId: string): Promise<number>;
}

/** Removes messages that nobody could handle, of whatever service. Both return how many. */
export interface DeadLetterEraser {
  ofPerson(person: PersonTraits): Promise<number>;
  /** Runs and events of one session alone. */
  ofSession(tenant: string, sessionId: string): Promise<number>;
}

/** Forgets a person: asks every service, erases what routing keeps, and collects the receipts. Every step may be repeated. */
export class ErasePerson {
  constructor(
    private readonly store: RoutingStore,
    private readonly maintenance: MaintenanceStore,
    private readonly stream: SessionStreamEraser,
    private readonly deadLetters: DeadLetterEraser,
    private readonly ids: { newId: () => string; now: () => number },
  ) {}

  async request(tenant: string, requestedBy: string, user: string): Promise<ErasureRecord> {
    const erasureId = this.ids.newId();
    await this.maintenance.createErasure({ erasureId, tenant, user, requestedBy, expected: routingContracts.ERASING_SERVICES });
    const at = new Date(this.ids.now()).toISOString();
    await this.#publish([
      { contract: routingContracts.eraseRequested, tenant, key: [erasureId], id: `erase:${erasureId}`, data: { erasureId, user, requestedBy, at } },
    ]);
    return this.find(tenant, erasureId);
  }

  /** Rejects with NOT_FOUND. */
  async find(tenant: string, erasureId: string): Promise<ErasureRecord> {
    const found = await this.maintenance.findErasure(tenant, erasureId);
    if (!found) throw plexusError('NOT_FOUND', { message: 'There is no such erasure.', details: { erasureId } });
    return found;
  }

  /** Routing's own part: sessions with everything in them, sends, pairings, grants, the events of the sessions in their stream, and the dead letters of all services. */
  async erase(tenant: string, config: TenantConfig | undefined, request: { erasureId: string; user: string }): Promise<void> {
    const { erasureId, user } = request;
    const sessionIds = await this.maintenance.incarnations(tenant, user);
    await this.#cancelRuns(tenant, user, sessionIds);
    const identities = identitiesOf(config, user);
    const marks = await this.maintenance.ownMarks(tenant, user);
    const person: PersonTraits = { tenant, user, sessionIds: new Set(sessionIds), ...marks, identities };
    // Before the tables, which say what is the person's; and after them for what was parked meanwhile.
    let deadLetters = await this.deadLetters.ofPerson(person);
    const counts = await this.maintenance.eraseOwner(tenant, user, identities, sessionIds);
    let events = 0;
    for (const sessionId of sessionIds) events += await this.stream.purge(tenant, sessionId);
    deadLetters += await this.deadLetters.ofPerson(person);
    const data = { erasureId, user, service: 'routing', counts: { ...counts, events, deadLetters }, at: new Date(this.ids.now()).toISOString() };
    await this.#publish([{ contract: routingContracts.userErased, tenant, key: [erasureId], id: `erased:routing:${erasureId}`, data }]);
  }

  /** Purges once more what a worker said after the erasure: one session at a time. False when none is due. */
  async purgeLeftovers(): Promise<boolean> {
    const due = await this.maintenance.claimPurge();
    if (!due) return false;
    await this.stream.purge(due.tenant, due.sessionId);
    await this.deadLetters.ofSession(due.tenant, due.sessionId);
    if (due.last) await this.maintenance.endPurge(due.sessionId);
    return true;
  }

  async collect(tenant: string, receipt: { erasureId: string; service: string; counts: Record<string, number>; problem?: string | undefined }): Promise<void> {
    if (await this.maintenance.findErasure(tenant, receipt.erasureId)) await this.maintenance.noteReceipt(receipt.erasureId, receipt);
  }

  /** What runs for the person is told to stop; its end then meets a session that is gone. */
  async #cancelRuns(tenant: string, owner: string, sessionIds: readonly string[]): Promise<void> {
    await this.store.transaction(async (tx) => {
      for (const sessionId of sessionIds) {
        const started = (await tx.openRuns(sessionId)).filter((run) => run.status === 'started' && run.tenant === tenant && run.owner === owner);
        await tx.publish(started.map((run) => runCancel(run, 'erased', this.ids.newId())));
      }
    });
  }

  #publish(outgoing: readonly Outgoing[]): Promise<void> {
    return this.store.transaction((tx) => tx.publish(outgoing));
  }
}

/** The person's own names in channels, by the identity links. */
function identitiesOf(config: TenantConfig | undefined, user: string): ChannelIdentity[] {
  const links = config?.session.identityLinks ?? {};
  const ids = Object.entries(links).flatMap(([name, linked]) => (name.trim() === user ? linked : []));
  return ids.map((linked) => {
    const [channel, ...rest] = linked.trim().split(':');
    return rest.length === 0 ? { id: linked.trim() } : { channel: channel?.toLowerCase(), id: rest.join(':') };
  });
}
