import { vmContracts as vm } from '@plexus/contracts';
import { CLOSE_CODES } from '@plexus/vm-protocol';
import type { Hints } from '../ports.js';
import { type Admission, type Incarnation, VmConnection } from './vm-connection.js';
import type { VmServices, VmWire } from './vm-ports.js';
import { RequestLedger } from './request-ledger.js';
import { VmTraces } from './vm-traces.js';

interface Entry {
  readonly connection: VmConnection;
  readonly listening: { stop(): unknown };
}

const BEATS_PER_CALL = 1_000;
/** What was answered to incarnations that are not connected here any more is kept for a while; more than this and the oldest go. */
const MAX_INCARNATIONS = 1_000;

/** The VMs whose sockets this process holds: at most one connection each, their heartbeats in one call per tenant. */
export class VmConnections {
  private readonly entries = new Map<string, Entry>();
  private readonly incarnations = new Map<string, Incarnation>();
  private readonly leaving = new Set<Promise<void>>();
  private beating: Promise<void> | undefined;

  constructor(
    private readonly services: VmServices,
    private readonly hints: Hints,
  ) {}

  get size(): number {
    return this.entries.size;
  }

  /** Takes an admitted VM in; an older connection of the same VM is closed (4009). */
  add(admission: Admission, wire: VmWire): VmConnection {
    const { tenant, vmId, epoch } = admission.identity;
    this.entries.get(vmId)?.connection.close(CLOSE_CODES.replaced);
    this.entries.get(vmId)?.listening.stop();
    const connection = new VmConnection(admission, this.services, this.incarnation(`${vmId}:${epoch}`), wire);
    const listening = this.hints.listenLive(vm.vmOut, { tenant, key: [vmId] }, () => connection.hint());
    this.entries.set(vmId, { connection, listening });
    return connection;
  }

  /** The socket of this connection is gone. */
  async remove(connection: VmConnection): Promise<void> {
    connection.end();
    const { vmId } = connection.identity;
    const entry = this.entries.get(vmId);
    if (entry?.connection === connection) {
      entry.listening.stop();
      this.entries.delete(vmId);
    }
    const leaving = connection.detach();
    this.leaving.add(leaving);
    await leaving.finally(() => this.leaving.delete(leaving));
  }

  /** Passes on the heartbeats that came since the last call. Runs once at a time; what cannot be passed on now is kept. */
  beat(): Promise<void> {
    this.beating ??= this.beatAll().finally(() => {
      this.beating = undefined;
    });
    return this.beating;
  }

  /** The VMs that are connected here, the oldest first. */
  get all(): readonly VmConnection[] {
    return [...this.entries.values()].map(({ connection }) => connection);
  }

  /** Before the process ends: reads no more, moves the mark, then closes with 1012, so that the VM moves at once. Never rejects. */
  async release(connection: VmConnection): Promise<void> {
    await connection.drain();
    connection.close(CLOSE_CODES.serviceRestart);
  }

  /** Resolves when the scheduler knows of every socket that went, at the latest when the signal aborts. */
  async settled(signal: AbortSignal): Promise<void> {
    const given = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([Promise.allSettled(this.leaving), given]);
  }

  private async beatAll(): Promise<void> {
    const tenants = new Map<string, VmConnection[]>();
    for (const { connection } of this.entries.values()) {
      if (connection.pendingBeats === 0) continue;
      const list = tenants.get(connection.identity.tenant) ?? [];
      list.push(connection);
      tenants.set(connection.identity.tenant, list);
    }
    for (const [tenant, connections] of tenants) {
      for (let at = 0; at < connections.length; at += BEATS_PER_CALL) await this.beatSome(tenant, connections.slice(at, at + BEATS_PER_CALL));
    }
  }

  private async beatSome(tenant: string, connections: readonly VmConnection[]): Promise<void> {
    const taken = new Map(connections.map((connection) => [connection.identity.vmId, { connection, count: connection.pendingBeats }]));
    const beats = connections.map(({ identity: { vmId, epoch, connGen }, activeSessions }) => ({ vmId, epoch, connGen, activeSessions: [...activeSessions] }));
    for (const connection of connections) connection.pendingBeats = 0;
    try {
      const { vms } = await this.services.mesh.call(
        vm.beatVms,
        tenant,
        { gateway: this.services.gatewayId, beats },
        { principal: this.services.service(tenant) },
      );
      for (const answer of vms) {
        const beaten = taken.get(answer.vmId);
        beaten?.connection.beaten(answer, beaten.count);
      }
    } catch (error) {
      this.services.log.debug({ error, tenant, vms: beats.length }, 'heartbeats could not be passed on and are kept');
      for (const { connection, count } of taken.values()) connection.pendingBeats += count;
    }
  }

  private incarnation(key: string): Incarnation {
    const known = this.incarnations.get(key) ?? { ledger: new RequestLedger(), traces: new VmTraces(this.services), plainDelivered: 0 };
    this.incarnations.delete(key);
    this.incarnations.set(key, known);
    if (this.incarnations.size > MAX_INCARNATIONS) this.incarnations.delete(this.incarnations.keys().next().value as string);
    return known;
  }
}
