import { z } from 'zod';
import { Instant } from './common.js';
import { defineEvent, defineRpc } from './define.js';

const domain = 'config';

/** Sequence of one write in the configuration bucket; grows over all tenants. 0: nothing was ever written. */
export const ConfigRevision = z.number().int().min(0);
/** SHA-256 of the document in canonical form: the same for every way of writing the same settings. */
export const ConfigHash = z.string().regex(/^[0-9a-f]{64}$/, { error: 'must be a SHA-256 digest in lower-case hex' });

/** A text that does not fit into one message: where its parts lie in `PLEXUS_CONFIG_PARTS`. */
export const StoredText = z.object({
  prefix: z.string().min(1).max(300).describe('Keys are `<prefix>.<n>`, n from 0. The first token is the tenant.'),
  parts: z.number().int().min(1).max(256),
  bytes: z.number().int().min(1),
  sha256: z.string().length(64),
});
export type StoredText = z.infer<typeof StoredText>;

/** A document as text: JSON5 (or JSON) here, or in parts when it is large. Exactly one of the two. */
const documentText = {
  text: z
    .string()
    .max(600_000)
    .optional()
    .describe('The document in JSON5. References to secrets stay as they are; includes are resolved by whoever sends it.'),
  stored: StoredText.optional().describe('The same, uploaded in parts: for documents above 256 KiB.'),
};

/** What a write is based on: it fails with CONFLICT when somebody else was faster. At least one unless `force`. */
const basis = {
  baseHash: ConfigHash.optional(),
  baseRevision: ConfigRevision.optional(),
};

/** One thing that is wrong, or questionable: where, what, and what to do. */
export const ConfigProblem = z.object({
  path: z.string().describe('Dotted, with array indexes; empty for the document itself.'),
  code: z.string(),
  message: z.string(),
  value: z.unknown().optional().describe('What stands there; never a secret.'),
  fix: z.string().optional(),
});
export type ConfigProblem = z.infer<typeof ConfigProblem>;

/** Two bindings that want the same messages for different agents. */
export const BindingConflict = z.object({ indexes: z.array(z.number().int()), code: z.string(), message: z.string() });

/** One changed path. Values of secret-looking settings that are no references are replaced. */
export const ConfigDifference = z.object({ path: z.string(), before: z.unknown().optional(), after: z.unknown().optional() });

const Written = z.object({
  revision: ConfigRevision,
  hash: ConfigHash,
  changed: z.boolean().describe('False: the document was the same already, nothing was written.'),
  changedPaths: z.array(z.string()).max(500),
  warnings: z.array(ConfigProblem),
});

const writeErrors = ['CONFIG_REJECTED', 'CONFLICT', 'PAYLOAD_TOO_LARGE'];

export const getConfig = defineRpc({
  domain,
  name: 'get',
  version: 1,
  summary:
    "Returns the tenant's configuration document as it was written, without defaults. References to secrets are returned, secrets are not stored. Needs operator.read.",
  data: z.object({ revision: ConfigRevision.optional().describe('An earlier one, as history lists it.') }),
  response: z.object({
    revision: ConfigRevision,
    hash: ConfigHash,
    ...documentText,
    exists: z.boolean().describe('False: the tenant configured nothing, the defaults hold.'),
    at: Instant.optional(),
    by: z.string().optional(),
  }),
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [{}],
});

export const applyConfig = defineRpc({
  domain,
  name: 'apply',
  version: 1,
  summary: 'Replaces the whole document. An invalid one changes nothing and is answered with every issue. Needs operator.admin.',
  data: z.object({
    ...documentText,
    ...basis,
    force: z.boolean().default(false).describe('Replaces whatever is there.'),
    comment: z.string().max(500).optional(),
  }),
  response: Written,
  timeoutMs: 15_000,
  errors: writeErrors,
  examples: [{ text: "{agents: {list: [{id: 'main', default: true}]}}", baseRevision: 4 }],
});

export const patchConfig = defineRpc({
  domain,
  name: 'patch',
  version: 1,
  summary:
    'Changes parts of the document by a JSON merge patch: null deletes, arrays replace. Guarded by the hash that the patch was made for. Comments of the source are lost. Needs operator.admin.',
  data: z.object({ patch: z.record(z.string(), z.unknown()), baseHash: ConfigHash, comment: z.string().max(500).optional() }),
  response: Written,
  timeoutMs: 15_000,
  errors: writeErrors,
  examples: [{ patch: { session: { dmScope: 'per-peer' } }, baseHash: 'a'.repeat(64) }],
});

export const checkConfig = defineRpc({
  domain,
  name: 'check',
  version: 1,
  summary: 'Says what a write would do, without doing it: issues, warnings, bindings in conflict, changed paths. Needs operator.read.',
  data: z.object({ ...documentText, patch: z.record(z.string(), z.unknown()).optional() }),
  response: z.object({
    valid: z.boolean(),
    hash: ConfigHash.optional(),
    issues: z.array(ConfigProblem),
    warnings: z.array(ConfigProblem),
    conflicts: z.array(BindingConflict),
    changedPaths: z.array(z.string()),
  }),
  timeoutMs: 15_000,
  idempotent: true,
  examples: [{ text: '{}' }],
});

export const diffConfig = defineRpc({
  domain,
  name: 'diff',
  version: 1,
  summary: 'Compares two revisions, or a text with the current one: paths with what stood and what stands there. Needs operator.read.',
  data: z.object({
    from: ConfigRevision.optional().describe('Absent: the current one.'),
    to: ConfigRevision.optional().describe('Absent: the text, or the current one.'),
    ...documentText,
  }),
  response: z.object({ fromRevision: ConfigRevision, toRevision: ConfigRevision.optional(), differences: z.array(ConfigDifference) }),
  timeoutMs: 15_000,
  idempotent: true,
  errors: ['NOT_FOUND', 'CONFIG_REJECTED'],
  examples: [{ from: 3, to: 7 }],
});

export const configHistory = defineRpc({
  domain,
  name: 'history',
  version: 1,
  summary: 'Lists the last revisions, newest first; at most 50 are kept. Needs operator.read.',
  data: z.object({ limit: z.number().int().min(1).max(50).default(20) }),
  response: z.object({
    entries: z.array(
      z.object({
        revision: ConfigRevision,
        hash: ConfigHash.optional().describe('Absent: a deletion, or a document that cannot be read.'),
        at: Instant,
        by: z.string().describe('User of the credential, or `unknown` for a write around this service.'),
        credentialId: z.string().optional(),
        kind: z.enum(['apply', 'patch', 'rollback', 'external', 'deleted']),
        comment: z.string().optional(),
        changedPaths: z.array(z.string()),
        bytes: z.number().int().min(0),
      }),
    ),
  }),
  timeoutMs: 15_000,
  idempotent: true,
  examples: [{}],
});

export const rollbackConfig = defineRpc({
  domain,
  name: 'rollback',
  version: 1,
  summary: 'Writes an earlier revision again, byte for byte, as a new revision. It is validated like any other. Needs operator.admin.',
  data: z.object({ revision: z.number().int().min(1), ...basis, comment: z.string().max(500).optional() }),
  response: Written,
  timeoutMs: 15_000,
  errors: [...writeErrors, 'NOT_FOUND'],
  examples: [{ revision: 3 }],
});

/** How far one process is with one tenant's configuration. */
export const ConfigProgress = z.object({
  appliedRevision: ConfigRevision,
  desiredRevision: ConfigRevision,
  pendingRestart: z.array(z.string()).describe('Paths that only a restart of this process applies.'),
  failed: z.array(z.object({ owner: z.string(), message: z.string(), attempts: z.number().int(), nextTryAt: Instant.optional() })),
  rejected: z
    .object({ revision: ConfigRevision, issues: z.array(ConfigProblem) })
    .optional()
    .describe('A newer document that is invalid and was not applied.'),
});
export type ConfigProgress = z.infer<typeof ConfigProgress>;

export const configStatus = defineRpc({
  domain,
  name: 'status',
  version: 1,
  summary: 'Says how far every process of the mesh is with the configuration: applied, desired, waiting for a restart, failed. Needs operator.read.',
  data: z.object({}),
  response: z.object({
    revision: ConfigRevision.describe('The newest in the bucket.'),
    hash: ConfigHash.optional(),
    converged: z.boolean().describe('Every process that reported has applied the newest revision, and nothing is pending or failed.'),
    replicas: z.array(
      z.object({
        service: z.string(),
        instanceId: z.string(),
        startedAt: Instant,
        reportedAt: Instant,
        mode: z.enum(['off', 'hot', 'hybrid', 'restart']),
        restart: z.enum(['none', 'waiting', 'draining', 'leaving']),
        degraded: z.array(z.object({ module: z.string(), reason: z.string() })),
        progress: ConfigProgress.optional().describe('Absent: this process has not seen this tenant change.'),
      }),
    ),
  }),
  timeoutMs: 10_000,
  idempotent: true,
  examples: [{}],
});

export const configChanged = defineEvent({
  domain,
  name: 'changed',
  version: 1,
  key: ['revision'],
  summary:
    'The configuration of a tenant has a new revision. For audit and for people; services watch the bucket. At most once per revision and best effort: the history is complete.',
  data: z.object({
    tenant: z.string(),
    revision: ConfigRevision,
    hash: ConfigHash,
    by: z.string(),
    credentialId: z.string(),
    kind: z.enum(['apply', 'patch', 'rollback']),
    comment: z.string().optional(),
    changedPaths: z.array(z.string()).max(500),
  }),
  examples: [
    {
      tenant: 'acme',
      revision: 12,
      hash: 'a'.repeat(64),
      by: 'ada',
      credentialId: 'laptop',
      kind: 'patch',
      changedPaths: ['session.dmScope'],
    },
  ],
});
