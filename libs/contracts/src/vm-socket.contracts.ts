// What gateways ask of the scheduler for the sockets of VMs. They act with role `service`. Part of `vmContracts`: see vm.contracts.ts.
import { z } from 'zod';
import { Epoch, UserId, VmId } from './common.js';
import { defineRpc } from './define.js';

const domain = 'vm';

export const refreshVmToken = defineRpc({
  domain,
  name: 'refresh-token',
  version: 1,
  summary: 'A new token for the incarnation whose socket this gateway holds, to be sent as `token_refresh` before the old one expires.',
  data: z.object({ vmId: VmId, epoch: Epoch, connGen: z.number().int().min(1) }),
  response: z.object({ token: z.string(), refreshAfterMs: z.number().int().min(1).describe('When to ask again.') }),
  errors: ['VM_FENCED'],
  examples: [{ vmId: 'vm-01jd2x3y4z5a6b7c8d9e0f1g2h', epoch: 3, connGen: 1 }],
});

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
    clientNonce: z.string().max(128).optional().describe('Reliable profile: provider keys are sealed for this process.'),
    token: z.string().min(1).max(8_192).optional().describe('Plain profile: provider keys are sealed under the token that authenticated the socket.'),
  }),
  response: z.object({
    connGen: z.number().int().min(1),
    leaseMs: z.number().int(),
    heartbeatMs: z.number().int(),
    serverRecvSeq: z.number().int().min(0).describe('Highest contiguous uplink frame that is durable.'),
    serverSentSeq: z.number().int().min(0),
    ackedSeq: z
      .number()
      .int()
      .min(0)
      .optional()
      .describe('Highest outbox frame that any connection of this incarnation has acknowledged, together with all before it.'),
    init: z.looseObject({}).describe('The `data` of the init frame. Provider keys in it are sealed for the VM.'),
    serverNonce: z.string().max(128).optional().describe('Goes into the init frame: provider keys are sealed for this connection.'),
    tokenRefreshMs: z
      .number()
      .int()
      .min(1)
      .optional()
      .describe('Reliable profile: how often the token of this VM is renewed with `refresh-token`; the first time at once.'),
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
  response: z.object({
    recvSeq: z.number().int().min(0),
    duplicate: z.boolean(),
    snapshot: z.number().int().min(0).optional().describe('When the frame was a snapshot of a session of this VM: the newest version that is kept.'),
  }),
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
