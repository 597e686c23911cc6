import { vmContracts as vm } from '@plexus/contracts';
import { CLOSE_CODES } from '@plexus/vm-protocol';
import type { Hints } from '../ports.js';
import type { Admission } from './vm-connection.js';
import { VmConnection } from './vm-connection.js';
import type { VmServices, VmWire } from './vm-ports.js';
import { RequestLedger } from './vm-requests.js';

interface Entry {
  readonly connection: VmConnection;
  readonly listening: { stop(): unknown };
}

const BEATS_PER_CALL = 1_000;
/** Answers of incarnations that are not connected here any more are kept for a while; more than this and the oldest go. */
const MAX_LEDGERS = 1_000;

/** The VMs whose sockets this process holds: at most one connection each, their heartbeats in one call per tenant. */
export class VmConnections {
  private readonly entries = new Map<string, Entry>();
  private readonly ledgers = new Map<string, RequestLedger>();
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
    const connection = new VmConnection(admission, this.services, this.ledger(`${vmId}:${epoch}`), wire);
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
    await connection.detach();
  }

  /** Passes on the heartbeats that came since the last call. Runs once at a time; what cannot be passed on now is kept. */
  beat(): Promise<void> {
    this.beating ??= this.beatAll().finally(() => {
      this.beating = undefined;
    });
    return this.beating;
  }

  /** Before the process ends: every mark is moved, then every socket closed with 1012, so that VMs move at once. */
  async drain(): Promise<void> {
    const connections = [...this.entries.values()].map(({ connection }) => connection);
    await Promise.allSettled(connections.map((connection) => connection.drain()));
    for (const connection of connections) connection.close(CLOSE_CODES.serviceRestart);
  }

  private async beatAll(): Promise<void> {
    const tenants = new Map<string, VmConnection[]>();
    for (const { connection } of this.entries.values()) {
      if (connection.pendingBeat === undefined) continue;
      const list = tenants.get(connection.identity.tenant) ?? [];
      list.push(connection);
      tenants.set(connection.identity.tenant, list);
    }
    for (const [tenant, connections] of tenants) {
      for (let at = 0; at < connections.length; at += BEATS_PER_CALL) await this.beatSome(tenant, connections.slice(at, at + BEATS_PER_CALL));
    }
  }

  private async beatSome(tenant: string, connections: readonly VmConnection[]): Promise<void> {
    const taken = connections.map((connection) => ({ connection, sessions: connection.pendingBeat ?? [] }));
    for (const { connection } of taken) connection.pendingBeat = undefined;
    const beats = taken.map(({ connection: { identity }, sessions }) => ({
      vmId: identity.vmId,
      epoch: identity.epoch,
      connGen: identity.connGen,
      activeSessions: [...sessions],
    }));
    try {
      const { vms } = await this.services.mesh.call(
        vm.beatVms,
        tenant,
        { gateway: this.services.gatewayId, beats },
        { principal: this.services.service(tenant) },
      );
      for (const answer of vms) taken.find(({ connection }) => connection.identity.vmId === answer.vmId)?.connection.beaten(answer);
    } catch (error) {
      this.services.log.debug({ error, tenant, vms: beats.length }, 'heartbeats could not be passed on and are kept');
      for (const { connection, sessions } of taken) connection.pendingBeat ??= sessions;
    }
  }

  private ledger(incarnation: string): RequestLedger {
    const ledger = this.ledgers.get(incarnation) ?? new RequestLedger();
    this.ledgers.delete(incarnation);
    this.ledgers.set(incarnation, ledger);
    if (this.ledgers.size > MAX_LEDGERS) this.ledgers.delete(this.ledgers.keys().next().value as string);
    return ledger;
  }
}
