import type { Bus } from '@plexus/bus';
import { plexusError, vmContracts as vm } from '@plexus/contracts';

interface Vm {
  readonly vmId: string;
  readonly tenant: string;
  readonly owner: string;
  epoch: number;
  connGen: number;
  mark: number;
  acked: number;
  attached: boolean;
  readonly outbox: { type: string; [key: string]: unknown }[];
  readonly sessions: Record<string, unknown>[];
  readonly submitted: { fseq: number; frame: { type: string; [key: string]: unknown } }[];
}

/** The scheduler as far as gateways see it, with the rules of the real one: marks only grow, a frame at or below the mark has no effect again. */
export class SchedulerStandIn {
  readonly vms = new Map<string, Vm>();
  readonly tickets = new Map<string, string>();
  beats = 0;
  /** Set: VMs are told to renew their tokens this often. */
  tokenRefreshMs: number | undefined;
  /** The next calls of these methods fail as if the service were away. */
  readonly failing = new Set<'frame' | 'mark' | 'beat' | 'read' | 'attach' | 'verify'>();
  /** Frame types that are refused for good. */
  readonly refused = new Set<string>();
  /** Sessions whose snapshots are consumed and not kept. */
  readonly keepsNothingOf = new Set<string>();

  constructor(private readonly bus: Bus) {
    bus.serve(vm.verifyVmToken, async ({ token, userId }, { principal }) => {
      this.away('verify');
      if (principal.role !== 'service') throw plexusError('FORBIDDEN');
      const [vmId = '', epoch] = token.split('/');
      const found = this.vms.get(vmId);
      if (found === undefined || found.owner !== userId) throw plexusError('UNAUTHENTICATED');
      if (found.epoch !== Number(epoch)) throw plexusError('VM_FENCED', { details: { currentEpoch: found.epoch } });
      return { vmId, epoch: found.epoch, tenant: found.tenant, owner: found.owner, orgId: found.tenant };
    });
    bus.serve(vm.redeemTicket, async ({ ticket }) => {
      const vmId = this.tickets.get(ticket);
      if (vmId === undefined) throw plexusError('TICKET_INVALID');
      this.tickets.delete(ticket);
      return { vmId, epoch: this.of(vmId).epoch };
    });
    bus.serve(vm.attachVm, async ({ vmId, epoch, recvSeq }) => {
      this.away('attach');
      const found = this.current(vmId, epoch);
      found.connGen += 1;
      found.attached = true;
      found.acked = Math.max(found.acked, recvSeq);
      const init = { user_id: found.owner, org_id: found.tenant, api_keys: {}, sessions: found.sessions };
      const tokens = this.tokenRefreshMs === undefined ? {} : { tokenRefreshMs: this.tokenRefreshMs };
      const marks = { serverRecvSeq: found.mark, serverSentSeq: found.outbox.length, ackedSeq: found.acked };
      return { connGen: found.connGen, leaseMs: 30_000, heartbeatMs: 10_000, ...marks, init, ...tokens };
    });
    bus.serve(vm.refreshVmToken, async ({ vmId, epoch, connGen }) => {
      this.current(vmId, epoch);
      return { token: `${vmId}/${epoch}/${connGen}`, refreshAfterMs: this.tokenRefreshMs ?? 60_000 };
    });
    bus.serve(vm.detachVm, async ({ vmId, connGen }) => {
      const found = this.of(vmId);
      if (found.connGen === connGen) found.attached = false;
      return {};
    });
    bus.serve(vm.beatVms, async ({ beats }) => {
      this.away('beat');
      this.beats += beats.length;
      return {
        vms: beats.map(({ vmId, epoch, connGen }) => {
          const found = this.vms.get(vmId);
          const status: 'unknown' | 'fenced' | 'replaced' | 'ok' =
            found === undefined ? 'unknown' : found.epoch !== epoch ? 'fenced' : found.connGen !== connGen ? 'replaced' : 'ok';
          return { vmId, status, currentEpoch: found?.epoch ?? 0, outboxHead: found?.outbox.length ?? 0, desired: 'running' };
        }),
      };
    });
    bus.serve(vm.readOutbox, async ({ vmId, epoch, after, limit }) => {
      this.away('read');
      const { outbox } = this.current(vmId, epoch);
      return { frames: outbox.slice(after, after + limit).map((frame, index) => ({ fseq: after + index + 1, frame })), head: outbox.length };
    });
    bus.serve(vm.ackOutbox, async ({ vmId, upTo }) => {
      const found = this.of(vmId);
      found.acked = Math.max(found.acked, upTo);
      return {};
    });
    bus.serve(vm.submitVmFrame, async ({ vmId, epoch, fseq, frame }) => {
      this.away('frame');
      const found = this.current(vmId, epoch);
      if (this.refused.has(frame.type)) throw plexusError('INVALID_REQUEST');
      const { method, session_id: sessionId, params } = frame as { method?: string; session_id?: string; params?: { version?: number } };
      const isKept = method === 'snapshot_sync' && !this.keepsNothingOf.has(sessionId ?? '');
      const snapshot = isKept && params?.version !== undefined ? { snapshot: params.version } : {};
      if (fseq <= found.mark) return { recvSeq: found.mark, duplicate: true, ...snapshot };
      found.mark = fseq;
      found.submitted.push({ fseq, frame });
      return { recvSeq: fseq, duplicate: false, ...snapshot };
    });
    bus.serve(vm.markVmInbox, async ({ vmId, epoch, upTo }) => {
      this.away('mark');
      const found = this.current(vmId, epoch);
      found.mark = Math.max(found.mark, upTo);
      return { recvSeq: found.mark };
    });
  }

  create(vmId: string, o: { tenant?: string; owner?: string; sessions?: Record<string, unknown>[] } = {}): Vm {
    const made: Vm = {
      vmId,
      tenant: o.tenant ?? 'default',
      owner: o.owner ?? 'me',
      epoch: 1,
      connGen: 0,
      mark: 0,
      acked: 0,
      attached: false,
      outbox: [],
      sessions: o.sessions ?? [],
      submitted: [],
    };
    this.vms.set(vmId, made);
    this.tickets.set(`ticket-${vmId}`, vmId);
    return made;
  }

  /** Queues a frame for the VM; `hint: false` loses the hint. */
  queue(vmId: string, frame: { type: string; [key: string]: unknown }, o: { hint?: boolean } = {}): void {
    const { outbox, tenant } = this.of(vmId);
    outbox.push(frame);
    if (o.hint !== false) this.bus.publishLive(vm.vmOut, tenant, [vmId], { head: outbox.length });
  }

  of(vmId: string): Vm {
    const found = this.vms.get(vmId);
    if (found === undefined) throw plexusError('NOT_FOUND');
    return found;
  }

  private current(vmId: string, epoch: number): Vm {
    const found = this.of(vmId);
    if (found.epoch !== epoch) throw plexusError('VM_FENCED', { details: { currentEpoch: found.epoch } });
    return found;
  }

  private away(method: 'frame' | 'mark' | 'beat' | 'read' | 'attach' | 'verify'): void {
    if (this.failing.has(method)) throw plexusError('UNAVAILABLE');
  }
}
