import { z } from 'zod';
import { Epoch, Instant, UserId, VmId } from './common.js';
import { defineEvent, defineLive, defineRpc } from './define.js';

const domain = 'vm';

export const VmState = z.enum([
  'requested',
  'provisioning',
  'booting',
  'ready',
  'suspect',
  'draining',
  'pausing',
  'paused',
  'backoff',
  'stopping',
  'failed',
  'terminated',
  'warm',
]);
export type VmState = z.infer<typeof VmState>;

export const VmSummary = z.object({
  vmId: VmId,
  owner: UserId.describe('Subject of the owner key; `*` for shared VMs.'),
  scopeKey: z.string(),
  state: VmState,
  desiredState: z.enum(['running', 'paused', 'terminated']),
  epoch: z.number().int().min(0),
  stateSince: Instant,
  createdAt: Instant,
  reason: z.object({ code: z.string(), text: z.string() }).optional(),
  pid: z.number().int().optional().describe('Local provider only.'),
});
export type VmSummary = z.infer<typeof VmSummary>;

const ScopeKey = z.string().regex(/^(user|shared|agent:.+|session:.+)$/, { error: 'must be user, shared, agent:<id> or session:<id>' });

export const ensureVm = defineRpc({
  domain,
  name: 'ensure',
  version: 1,
  summary: 'Returns the one VM of an owner key, starting or resuming it when needed. Concurrent calls join; never two, never none.',
  data: z.object({
    scope: ScopeKey.default('user'),
    wait: z.enum(['none', 'ready']).default('none'),
    waitMs: z.number().int().min(0).max(60_000).default(30_000),
  }),
  response: z.object({ vmId: VmId, epoch: z.number().int().min(0), state: VmState, created: z.boolean(), resumed: z.boolean(), reason: z.string().optional() }),
  timeoutMs: 65_000,
  idempotent: true,
  errors: ['QUOTA_EXCEEDED', 'PROVIDER_UNAVAILABLE', 'VM_UNAVAILABLE'],
  examples: [{ scope: 'user', wait: 'ready', waitMs: 30_000 }],
});

export const getVm = defineRpc({
  domain,
  name: 'get',
  version: 1,
  summary: "Returns one of the caller's VMs.",
  data: z.object({ vmId: VmId }),
  response: z.object({ vm: VmSummary }),
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [{ vmId: 'vm-01jd2x3y4z5a6b7c8d9e0f1g2h' }],
});

export const listVms = defineRpc({
  domain,
  name: 'list',
  version: 1,
  summary: "Lists the caller's VMs; with operator.admin those of the whole tenant.",
  data: z.object({ includeTerminated: z.boolean().default(false), limit: z.number().int().min(1).max(500).default(100) }),
  response: z.object({ vms: z.array(VmSummary) }),
  idempotent: true,
  examples: [{}],
});

export const terminateVm = defineRpc({
  domain,
  name: 'terminate',
  version: 1,
  summary: 'Wants a VM gone: desired state terminated. The answer does not wait for it.',
  data: z.object({ vmId: VmId }),
  response: z.object({ vm: VmSummary }),
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [{ vmId: 'vm-01jd2x3y4z5a6b7c8d9e0f1g2h' }],
});

/** "Bring your own runtime": everything that somebody needs to connect one as the VM of its owner. The secrets are in the answer only, once. */
export const attachExternalVm = defineRpc({
  domain,
  name: 'attach-external',
  version: 1,
  summary:
    'Makes the external VM of an owner key wait for a runtime that somebody else starts, and answers with its one-time ticket. A second call makes the first ticket worthless.',
  data: z.object({
    scope: ScopeKey.default('user'),
    template: z.string().min(1).max(128).optional().describe('A template of the external provider; default: its own.'),
    waitMs: z.number().int().min(0).max(30_000).default(10_000),
  }),
  response: z.object({
    vmId: VmId,
    epoch: Epoch,
    userId: UserId.describe('`VM_USER_ID` of the runtime.'),
    ticket: z.string(),
    token: z.string(),
    bootstrapSecret: z.string(),
    ws: z.string().describe('`CONTROL_PLANE_WS` of the runtime.'),
    expiresAt: Instant.describe('Until when the ticket may be used.'),
  }),
  timeoutMs: 35_000,
  errors: ['CONFLICT', 'QUOTA_EXCEEDED', 'PROVIDER_UNAVAILABLE', 'VM_UNAVAILABLE'],
  examples: [{ scope: 'user', waitMs: 10_000 }],
});

/** Calls below are for gateways, which act with role `service`. */

export const redeemTicket = defineRpc({
  domain,
  name: 'redeem-ticket',
  version: 1,
  summary: 'Consumes the one-time ticket of a first connection by one conditional update. The same ticket with the same nonce within 30 s is admitted again.',
  data: z.object({ ticket: z.string().min(1).max(256), userId: UserId, clientNonce: z.string().max(128).optional() }),
  response: z.object({ vmId: VmId, epoch: Epoch }),
  errors: ['TICKET_INVALID'],
  examples: [{ ticket: 'q1w2e3', userId: 'me' }],
});

export const verifyVmToken = defineRpc({
  domain,
  name: 'verify-token',
  version: 1,
  summary: 'Checks signature, expiry, user and epoch of a VM token against the live lease.',
  data: z.object({ token: z.string().min(1).max(8_192), userId: UserId }),
  response: z.object({ vmId: VmId, epoch: Epoch, tenant: z.string(), owner: UserId, orgId: z.string() }),
  idempotent: true,
  errors: ['UNAUTHENTICATED', 'VM_FENCED'],
  examples: [{ token: 'eyJ…', userId: 'me' }],
});

export const attachVm = defineRpc({
  domain,
  name: 'attach',
  version: 1,
  summary:
    'Tells the scheduler that this gateway now holds the socket of a VM incarnation. Moves conn_gen, makes the VM ready, stamps the unacked outbox with frame numbers, and answers with the marks of both directions.',
  data: z.object({
    vmId: VmId,
    epoch: Epoch,
    gateway: z.string().max(64),
    protocol: z.union([z.literal(1), z.literal(2)]),
    recvSeq: z.number().int().min(0).default(0),
    sentSeq: z.number().int().min(0).default(0),
  }),
  response: z.object({
    connGen: z.number().int().min(1),
    leaseMs: z.number().int(),
    heartbeatMs: z.number().int(),
    serverRecvSeq: z.number().int().min(0).describe('Highest contiguous uplink frame that is durable.'),
    serverSentSeq: z.number().int().min(0),
    init: z.looseObject({}).describe('The `data` of the init frame, without sealed keys.'),
  }),
  errors: ['VM_FENCED', 'NOT_FOUND'],
  examples: [{ vmId: 'vm-01jd2x3y4z5a6b7c8d9e0f1g2h', epoch: 3, gateway: 'gw-1', protocol: 2 }],
});

export const detachVm = defineRpc({
  domain,
  name: 'detach',
  version: 1,
  summary: 'The socket of this connection generation is gone. An older generation is ignored.',
  data: z.object({ vmId: VmId, epoch: Epoch, connGen: z.number().int().min(1) }),
  response: z.object({}),
  idempotent: true,
  examples: [{ vmId: 'vm-01jd2x3y4z5a6b7c8d9e0f1g2h', epoch: 3, connGen: 1 }],
});

export const beatVms = defineRpc({
  domain,
  name: 'beat',
  version: 1,
  summary:
    'Moves the leases of all VMs whose sockets this gateway holds, in one write; answers with fenced ones and each outbox head so that a lost hint is noticed.',
  data: z.object({
    gateway: z.string().max(64),
    beats: z.array(z.object({ vmId: VmId, epoch: Epoch, connGen: z.number().int(), activeSessions: z.array(z.string()).max(1_000) })).max(1_000),
  }),
  response: z.object({
    vms: z.array(
      z.object({
        vmId: VmId,
        status: z.enum(['ok', 'fenced', 'replaced', 'unknown']),
        currentEpoch: z.number().int(),
        outboxHead: z.number().int().min(0),
        desired: z.string(),
      }),
    ),
  }),
  idempotent: true,
  examples: [{ gateway: 'gw-1', beats: [{ vmId: 'vm-01jd2x3y4z5a6b7c8d9e0f1g2h', epoch: 3, connGen: 1, activeSessions: [] }] }],
});

export const OutboxFrame = z.object({ fseq: z.number().int().min(1), frame: z.looseObject({ type: z.string() }) });

export const readOutbox = defineRpc({
  domain,
  name: 'outbox-read',
  version: 1,
  summary: 'Reads frames for a VM in order, behind the given frame number. Numbers are stamped when a frame is first read under an epoch.',
  data: z.object({
    vmId: VmId,
    epoch: Epoch,
    connGen: z.number().int().min(1),
    after: z.number().int().min(0),
    limit: z.number().int().min(1).max(200).default(64),
  }),
  response: z.object({ frames: z.array(OutboxFrame), head: z.number().int().min(0) }),
  idempotent: true,
  errors: ['VM_FENCED'],
  examples: [{ vmId: 'vm-01jd2x3y4z5a6b7c8d9e0f1g2h', epoch: 3, connGen: 1, after: 0 }],
});

export const ackOutbox = defineRpc({
  domain,
  name: 'outbox-ack',
  version: 1,
  summary: 'The VM has everything up to and including this frame number in its journal.',
  data: z.object({ vmId: VmId, epoch: Epoch, upTo: z.number().int().min(0) }),
  response: z.object({}),
  idempotent: true,
  examples: [{ vmId: 'vm-01jd2x3y4z5a6b7c8d9e0f1g2h', epoch: 3, upTo: 12 }],
});

export const submitVmFrame = defineRpc({
  domain,
  name: 'frame',
  version: 1,
  summary:
    'Hands one uplink frame to the scheduler in frame order: run ends, snapshots, usage, audit, memory writes. Epoch test, inbox mark and effect are one transaction. For frames whose effect is a stream publish (sse_event) the gateway reports the mark after the publish ack.',
  data: z.object({ vmId: VmId, epoch: Epoch, fseq: z.number().int().min(1), frame: z.looseObject({ type: z.string() }) }),
  response: z.object({ recvSeq: z.number().int().min(0), duplicate: z.boolean() }),
  idempotent: true,
  errors: ['VM_FENCED', 'INVALID_REQUEST'],
  examples: [
    {
      vmId: 'vm-01jd2x3y4z5a6b7c8d9e0f1g2h',
      epoch: 3,
      fseq: 4,
      frame: {
        type: 'fire_and_forget',
        session_id: '01jd2x3y4z5a6b7c8d9e0f1g2h',
        method: 'usage_report',
        params: { model: 'echo', tokens_in: 1, tokens_out: 1 },
      },
    },
  ],
});

export const markVmInbox = defineRpc({
  domain,
  name: 'inbox-mark',
  version: 1,
  summary: 'Moves the durable uplink mark of an incarnation after the gateway has the publish acks of every frame up to it. Never moves back.',
  data: z.object({ vmId: VmId, epoch: Epoch, upTo: z.number().int().min(0) }),
  response: z.object({ recvSeq: z.number().int().min(0) }),
  idempotent: true,
  errors: ['VM_FENCED'],
  examples: [{ vmId: 'vm-01jd2x3y4z5a6b7c8d9e0f1g2h', epoch: 3, upTo: 12 }],
});

export const vmWake = defineLive({
  domain,
  name: 'wake',
  version: 1,
  key: ['vmId'],
  summary: 'Hint: look at this VM now. Losing it costs at most one scan interval.',
  data: z.object({}),
  examples: [{}],
});

export const vmOut = defineLive({
  domain,
  name: 'out',
  version: 1,
  key: ['vmId'],
  summary: 'Hint to the gateway that holds the socket: the outbox of this VM has new rows.',
  data: z.object({ head: z.number().int().min(0).optional() }),
  examples: [{}],
});

export const vmStateChanged = defineEvent({
  domain,
  name: 'state-changed',
  version: 1,
  key: ['vmId'],
  summary: 'A VM moved along an edge of its state machine.',
  data: z.object({ vmId: VmId, owner: UserId, scopeKey: z.string(), from: VmState, to: VmState, epoch: z.number().int().min(0), cause: z.string() }),
  examples: [{ vmId: 'vm-01jd2x3y4z5a6b7c8d9e0f1g2h', owner: 'me', scopeKey: 'user', from: 'booting', to: 'ready', epoch: 3, cause: 'attached' }],
});
