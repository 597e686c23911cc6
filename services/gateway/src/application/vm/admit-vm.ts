import { vmContracts as vm } from '@plexus/contracts';
import { err, isRetryableError, ok, type Result, retry } from '@plexus/kernel';
import { CLOSE_CODES, type CloseCode, type VmFrameOf } from '@plexus/vm-protocol';
import { hasCode } from '../../domain/client-error.js';
import type { Admission } from './vm-connection.js';
import { currentEpoch } from './vm-connection.js';
import type { VmServices } from './vm-ports.js';

export interface VmHello {
  readonly userId: string;
  /** Only on the first connection of an incarnation. */
  readonly ticket: string | undefined;
  readonly auth: VmFrameOf<'auth'>;
}

export interface Turned {
  readonly close: CloseCode;
  /** Set when a newer incarnation lives: the VM is told which. */
  readonly currentEpoch?: number;
}

const ATTEMPTS = 6;
const BACKOFF = { baseMs: 200, capMs: 3_000 };

/**
 * Decides whether a VM may come in: the token says who it is, the ticket (first connection only) that nobody else was here before, and
 * attaching makes this gateway its home. The scheduler decides all three; when it is away for a moment, this waits.
 */
export async function admitVm(hello: VmHello, services: VmServices, signal: AbortSignal): Promise<Result<Admission, Turned>> {
  const { auth, userId, ticket } = hello;
  const protocol = (auth.protocol ?? 1) >= 2 ? 2 : 1;
  const anybody = services.service('_');
  const patiently = <T>(work: () => Promise<T>): Promise<T> => retry(work, { attempts: ATTEMPTS, ...BACKOFF, signal, isRetryable: isRetryableError });
  try {
    const token = await patiently(() => services.mesh.call(vm.verifyVmToken, '_', { token: auth.token, userId }, { principal: anybody, signal }));
    const { vmId, epoch, tenant, owner } = token;
    if (protocol === 2 && (auth.vm_id !== vmId || auth.epoch !== epoch)) return err({ close: CLOSE_CODES.unauthenticated });
    if (ticket !== undefined) {
      const nonce = auth.client_nonce === undefined ? {} : { clientNonce: auth.client_nonce };
      const redeemed = await patiently(() => services.mesh.call(vm.redeemTicket, '_', { ticket, userId, ...nonce }, { principal: anybody, signal }));
      if (redeemed.vmId !== vmId || redeemed.epoch !== epoch) return err({ close: CLOSE_CODES.unauthenticated });
    }
    const vmRecvSeq = protocol === 2 ? (auth.recv_seq ?? 0) : 0;
    const attached = await patiently(() =>
      services.mesh.call(
        vm.attachVm,
        tenant,
        {
          vmId,
          epoch,
          gateway: services.gatewayId,
          protocol,
          recvSeq: vmRecvSeq,
          sentSeq: protocol === 2 ? (auth.sent_seq ?? 0) : 0,
          ...(protocol === 1 ? { token: auth.token } : auth.client_nonce === undefined ? {} : { clientNonce: auth.client_nonce }),
        },
        { principal: services.service(tenant), signal },
      ),
    );
    return ok({ identity: { tenant, vmId, epoch, owner, connGen: attached.connGen }, protocol, attached, vmRecvSeq });
  } catch (error) {
    if (hasCode(error, 'VM_FENCED')) return err({ close: CLOSE_CODES.fenced, currentEpoch: currentEpoch(error) ?? (auth.epoch ?? 0) + 1 });
    if (hasCode(error, 'NOT_FOUND', 'UNKNOWN_TENANT')) return err({ close: CLOSE_CODES.unknownVm });
    if (hasCode(error, 'UNAUTHENTICATED', 'TICKET_INVALID', 'FORBIDDEN', 'INVALID_REQUEST')) return err({ close: CLOSE_CODES.unauthenticated });
    if (!signal.aborted) services.log.warn({ error }, 'a VM could not be admitted');
    return err({ close: CLOSE_CODES.internal });
  }
}

/** The `init` frame of an admission. The maps of sessions and traces are for the gateway and stay here. */
export function initFrame({ attached, protocol }: Admission, spansPerSecond: number): Record<string, unknown> {
  const { sessions: _sessions, traces: _traces, ...data } = attached.init as Record<string, unknown>;
  if (protocol === 1) return { type: 'init', data };
  return {
    type: 'init',
    protocol: 2,
    conn_gen: attached.connGen,
    lease_ms: attached.leaseMs,
    heartbeat_ms: attached.heartbeatMs,
    server_recv_seq: attached.serverRecvSeq,
    server_sent_seq: attached.serverSentSeq,
    ...(spansPerSecond > 0 ? { limits: { spans_per_second: spansPerSecond } } : {}),
    ...(attached.serverNonce === undefined ? {} : { server_nonce: attached.serverNonce }),
    data,
  };
}
