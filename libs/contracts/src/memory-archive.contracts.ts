import { z } from 'zod';
import { Instant } from './common.js';
import { defineRpc } from './define.js';
import { MemoryKind, MemoryOrigin, MemoryScope } from './memory.contracts.js';

const domain = 'memory';
/** A page of lines fits one message, however the lines are escaped. */
const MAX_LINES = 500;

const Id = z.string().min(1).max(64);
const User = z.string().min(1).max(512);
const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** One line of an export: a memory with everything that makes it the same memory again, somewhere else. */
export const ArchivedMemory = z.object({
  id: z.string().regex(/^mem_[0-9a-z]{1,60}$/),
  scope: MemoryScope,
  owner: z.string().max(512).optional().describe('Whose session it is; only with scopes of kind `session`.'),
  namespace: z.string().max(128),
  kind: MemoryKind,
  content: z.string().min(1).max(262_144),
  importance: z.number().min(0).max(1).optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  author: z.string().max(512).optional(),
  origin: MemoryOrigin.optional(),
  createdAt: Instant,
  expiresAt: Instant.optional(),
  validFrom: Instant.optional(),
  validTo: Instant.optional(),
  evergreen: z.boolean().optional(),
  rev: z.number().int().min(1),
  rootId: Id.optional().describe('The first revision of this memory.'),
  supersededBy: Id.optional(),
  supersededAt: Instant.optional(),
  seenCount: z.number().int().min(1),
});
export type ArchivedMemory = z.infer<typeof ArchivedMemory>;

/** The last line of an export, as `{"manifest": …}`. Without it an export is half a file. */
export const ArchiveManifest = z.object({
  format: z.literal('plexus-memory'),
  version: z.literal(1),
  memories: z.number().int().min(0),
  sha256: Sha256.describe('Of all lines before this one, each with its line feed: `head -n -1 FILE | sha256sum`.'),
  asOf: Instant.describe('What was written after this moment is not in it.'),
});
export type ArchiveManifest = z.infer<typeof ArchiveManifest>;

const Whose = {
  user: User.optional().describe(
    "Everything of this user: own scope, sessions, and what they wrote for others. Absent, with `scope` absent too: the caller's.",
  ),
  scope: MemoryScope.optional().describe('Everything of this scope instead.'),
};

export const exportMemories = defineRpc({
  domain,
  name: 'export',
  version: 1,
  summary:
    'One page of the lines of an export, in the order of ids; history included, expired and deleted ones not. Whoever writes the lines into a file ends it with the manifest.',
  data: z.object({ ...Whose, limit: z.number().int().min(1).max(MAX_LINES).default(MAX_LINES), cursor: z.string().max(512).optional() }),
  response: z.object({
    lines: z.array(z.string()).describe('JSON texts without line feeds; a page is shorter when contents are large.'),
    asOf: Instant,
    nextCursor: z.string().optional(),
  }),
  idempotent: true,
  timeoutMs: 30_000,
  errors: ['FORBIDDEN'],
  examples: [{}, { scope: { kind: 'shared', id: 'team' }, limit: 100 }],
});

export const importMemories = defineRpc({
  domain,
  name: 'import',
  version: 1,
  summary:
    'Takes lines of an export, page by page, and stores nothing that anybody could find until the manifest comes and agrees; then everything at once. Repeating a page or all of it changes nothing.',
  data: z.object({
    importId: Id.describe('Made by the caller; the same for all pages of one file.'),
    from: z.number().int().min(0).describe('Position of the first line in the file, from 0.'),
    lines: z.array(z.string().min(2).max(600_000)).max(MAX_LINES),
    manifest: ArchiveManifest.optional().describe('With the last page: begins the check and, if all is there, the import.'),
  }),
  response: z.object({
    importId: Id,
    staged: z.number().int().describe('Lines that arrived so far.'),
    done: z.boolean(),
    created: z.number().int().optional(),
    present: z.number().int().optional().describe('There before, under their id or with their content.'),
    expired: z.number().int().optional().describe('Not taken: they would be invisible.'),
  }),
  idempotent: true,
  timeoutMs: 120_000,
  errors: ['FORBIDDEN', 'INVALID_REQUEST', 'CONFLICT', 'PAYLOAD_TOO_LARGE'],
  examples: [{ importId: '01jd2x3y4z5a6b7c8d9e0f1g2h', from: 0, lines: [] }],
});

export const PurgeReceipt = z.object({
  id: Id,
  tenant: z.string(),
  subject: z.string().describe('MAC of what was purged: tells nothing, and is the same for the same user or scope.'),
  at: Instant,
  counts: z.record(z.string(), z.number().int()).describe('Rows that went, by kind.'),
  signature: z.string().describe("HMAC-SHA256 under the tenant's key over the other fields."),
});
export type PurgeReceipt = z.infer<typeof PurgeReceipt>;

export const purgeMemories = defineRpc({
  domain,
  name: 'purge',
  version: 1,
  summary:
    'Removes everything of a user or a scope for good: memories with their history and vectors, cached vectors, idempotency results, waiting writes, session messages and state. Only MACs stay, as tombstones.',
  data: z.object({ ...Whose, confirm: z.literal(true).describe('There is no way back.') }),
  response: z.object({ receipt: PurgeReceipt }),
  idempotent: true,
  timeoutMs: 120_000,
  errors: ['FORBIDDEN'],
  examples: [{ user: 'me', confirm: true }],
});

export const checkPurgeReceipt = defineRpc({
  domain,
  name: 'check-receipt',
  version: 1,
  summary: 'Says whether a receipt was made here, and, when it is asked for a user or scope, whether it is about that one.',
  data: z.object({ receipt: PurgeReceipt, user: User.optional(), scope: MemoryScope.optional() }),
  response: z.object({ genuine: z.boolean(), matches: z.boolean().optional() }),
  idempotent: true,
  examples: [
    {
      receipt: { id: 'x', tenant: 'acme', subject: 'y', at: '2026-11-21T10:00:00.000Z', counts: { memories: 3 }, signature: 'z' },
      user: 'me',
    },
  ],
});
