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
  provider: z.string().optional(),
  host: z.string().optional().describe('Where its workspace lives.'),
  template: z.string().optional().describe('Name of its template; absent for the default.'),
  pool: z.string().optional().describe('Warm pool that it waits in; it has no owner yet.'),
  lastActivityAt: Instant.optional(),
  pauseDegraded: z.boolean().optional().describe('It was paused without a fresh snapshot: the last good one is what it goes on from.'),
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
    agentId: z.string().min(1).max(64).optional().describe("The agent's sandbox settings decide scope, idle time and retention; `scope` is ignored."),
    sessionId: z.string().min(1).max(256).optional().describe('With `agentId`: needed where the agent has one VM per session.'),
    template: z.string().min(1).max(128).optional().describe('Name of a template; absent: the default.'),
    allowEmptyWorkspace: z.boolean().optional().describe('Start elsewhere with an empty workspace when the host that has it is gone.'),
  }),
  response: z.object({
    vmId: VmId,
    epoch: z.number().int().min(0),
    state: VmState,
    created: z.boolean(),
    resumed: z.boolean(),
    staleTemplate: z.boolean().optional().describe('It runs with an older version of its template, because it is in use.'),
    reason: z.string().optional(),
  }),
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

const vmAnswer = z.object({ vm: VmSummary });
const vmExample = { vmId: 'vm-01jd2x3y4z5a6b7c8d9e0f1g2h' };
const wish = <const N extends string>(name: N, summary: string) =>
  defineRpc({
    domain,
    name,
    version: 1,
    summary,
    data: z.object({ vmId: VmId }),
    response: vmAnswer,
    idempotent: true,
    errors: ['NOT_FOUND', 'CONFLICT'],
    examples: [vmExample],
  });

export const pauseVm = wish(
  'pause',
  'Wants a VM paused: runs in progress may finish, snapshots are taken, the workspace stays. The answer does not wait for it.',
);
export const resumeVm = wish('resume', 'Wants a paused VM running again. While it is being paused that is finished first.');
export const touchVm = wish('touch', 'Notes that somebody uses a VM, so that it is not paused for being idle.');

export const drainVm = defineRpc({
  domain,
  name: 'drain',
  version: 1,
  summary:
    'Takes a VM out of use: no new runs, running ones may finish for a while, then it is stopped, and started again when somebody needs it. `cancel` takes that back.',
  data: z.object({ vmId: VmId, cancel: z.boolean().default(false) }),
  response: vmAnswer,
  idempotent: true,
  errors: ['NOT_FOUND', 'CONFLICT'],
  examples: [vmExample],
});

export const vmLogs = defineRpc({
  domain,
  name: 'logs',
  version: 1,
  summary: 'The last bytes of what the newest incarnation of a VM said.',
  data: z.object({ vmId: VmId, tailBytes: z.number().int().min(1).max(262_144).default(16_384) }),
  response: z.object({ text: z.string().optional().describe('Absent: the provider keeps none.') }),
  idempotent: true,
  errors: ['NOT_FOUND', 'UNAVAILABLE'],
  examples: [vmExample],
});

export const VmActivity = z.object({ kind: z.string(), source: z.string(), at: Instant });

export const whyVm = defineRpc({
  domain,
  name: 'why',
  version: 1,
  summary: 'Says why a VM is in its state, what keeps it alive, when that ends, and who used it last.',
  data: z.object({ vmId: VmId }),
  response: z.object({ vm: VmSummary, because: z.array(z.string()), until: Instant.optional(), activity: z.array(VmActivity) }),
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [vmExample],
});

export const vmHistory = defineRpc({
  domain,
  name: 'history',
  version: 1,
  summary: 'The edges that a VM took, newest first.',
  data: z.object({ vmId: VmId, limit: z.number().int().min(1).max(500).default(50) }),
  response: z.object({
    transitions: z.array(z.object({ from: VmState, to: VmState, cause: z.string(), epoch: z.number().int().min(0), at: Instant, replica: z.string() })),
  }),
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [vmExample],
});

export const endVmSession = defineRpc({
  domain,
  name: 'end-session',
  version: 1,
  summary: 'A session is over for good: its VM is told to forget it, and a VM of its own (scope `session:<id>`) is terminated.',
  data: z.object({ sessionId: z.string().min(1).max(256), reason: z.enum(['user_closed', 'timeout', 'admin']).default('user_closed') }),
  response: z.object({ terminated: VmId.optional() }),
  idempotent: true,
  examples: [{ sessionId: '01jd2x3y4z5a6b7c8d9e0f1g2h' }],
});

export const VmHost = z.object({
  hostId: z.string(),
  provider: z.string(),
  state: z.enum(['up', 'cordoned', 'draining', 'lost']),
  vms: z.number().int().min(0),
  capacity: z.number().int().min(0).optional().describe('VMs that fit; absent: unlimited.'),
  beatAt: Instant,
});
export const listHosts = defineRpc({
  domain,
  name: 'list-hosts',
  version: 1,
  summary: 'Places where VMs run. For operators of the platform.',
  data: z.object({}),
  response: z.object({ hosts: z.array(VmHost) }),
  idempotent: true,
  examples: [{}],
});
export const drainHost = defineRpc({
  domain,
  name: 'drain-host',
  version: 1,
  summary: 'No new VMs on this host; those on it are drained. `cancel` puts it back into use.',
  data: z.object({ hostId: z.string().min(1).max(256), cancel: z.boolean().default(false) }),
  response: z.object({ host: VmHost }),
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [{ hostId: 'host-1' }],
});

export const putVmSecret = defineRpc({
  domain,
  name: 'put-secret',
  version: 1,
  summary: "Stores a provider key for the caller's VMs, sealed with the master key. It is never shown again.",
  data: z.object({ name: z.string().regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/), value: z.string().min(1).max(8_192) }),
  response: z.object({ name: z.string() }),
  idempotent: true,
  examples: [{ name: 'openai', value: 'sk-…' }],
});
export const listVmSecrets = defineRpc({
  domain,
  name: 'list-secrets',
  version: 1,
  summary: 'Names of the stored provider keys of the caller, never their values.',
  data: z.object({}),
  response: z.object({ secrets: z.array(z.object({ name: z.string(), updatedAt: Instant })) }),
  idempotent: true,
  examples: [{}],
});
export const deleteVmSecret = defineRpc({
  domain,
  name: 'delete-secret',
  version: 1,
  summary: 'Removes a stored provider key of the caller.',
  data: z.object({ name: z.string().min(1).max(64) }),
  response: z.object({ deleted: z.boolean() }),
  idempotent: true,
  examples: [{ name: 'openai' }],
});

/** Calls below are for gateways, which act with role `service`. */

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
