import { z } from 'zod';
import { Epoch, Instant, UserId, VmId } from './common.js';
import { defineEvent, defineLive, defineRpc } from './define.js';

export {
  ackOutbox,
  attachVm,
  beatVms,
  detachVm,
  markVmInbox,
  OutboxFrame,
  readOutbox,
  redeemTicket,
  refreshVmToken,
  submitVmFrame,
  verifyVmToken,
} from './vm-socket.contracts.js';

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
    agentId: z
      .string()
      .min(1)
      .max(64)
      .optional()
      .describe("The agent's sandbox settings decide scope, idle time and retention; `scope` is ignored. NOT_FOUND: no such agent is configured."),
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
  errors: ['NOT_FOUND', 'QUOTA_EXCEEDED', 'PROVIDER_UNAVAILABLE', 'VM_UNAVAILABLE'],
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

export const usageByDay = defineRpc({
  domain,
  name: 'usage',
  version: 1,
  summary:
    'What models used in the sessions of the caller, as their VMs reported it, by day, session and model, newest day first. Days are those of UTC. Kept for 400 days.',
  data: z.object({
    from: z.iso.date().describe('The first day.'),
    to: z.iso.date().describe('The last day.'),
    sessionId: z.string().min(1).max(256).optional().describe('Of one session only.'),
    limit: z.number().int().min(1).max(5_000).default(2_000),
  }),
  response: z.object({
    rows: z.array(
      z.object({
        day: z.iso.date(),
        sessionId: z.string(),
        model: z.string(),
        calls: z.number().int().min(1),
        tokensIn: z.number().int().min(0),
        tokensOut: z.number().int().min(0),
        cacheRead: z.number().int().min(0).optional().describe('Tokens of `tokensIn` that the endpoint had cached.'),
        cacheWrite: z.number().int().min(0).optional().describe('Tokens of `tokensIn` that the endpoint has cached then.'),
        lastAt: Instant,
      }),
    ),
    more: z.boolean().describe('There are more rows than `limit`.'),
  }),
  idempotent: true,
  examples: [{ from: '2026-11-01', to: '2026-11-21' }],
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
