import { z } from 'zod';
import { IdempotencyKey, Instant } from './common.js';
import { defineCommand, defineEvent, defineRpc } from './define.js';

const domain = 'memory';

export const MemoryScope = z.object({ kind: z.enum(['user', 'session', 'agent', 'shared']), id: z.string().min(1).max(512) });
export const MemoryKind = z.enum(['fact', 'preference', 'episode', 'summary', 'note']);

export const MemoryOrigin = z.enum(['owner', 'agent', 'untrusted', 'system']);

const WriteInput = z.object({
  content: z.string().min(1).max(262_144).describe('At most 64 KiB of UTF-8; more is refused with PAYLOAD_TOO_LARGE.'),
  kind: MemoryKind.default('note'),
  scope: MemoryScope.optional().describe("Absent: the calling user's own scope."),
  namespace: z.string().max(128).default(''),
  importance: z.number().min(0).max(1).optional(),
  metadata: z.record(z.string().max(128), z.unknown()).optional(),
  expiresAt: Instant.optional(),
  validFrom: Instant.optional().describe('When what it says begins to be true.'),
  validTo: Instant.optional().describe('When it ceases to be true.'),
  evergreen: z.boolean().optional().describe('Does not fade with age where a search asks for decay.'),
  origin: MemoryOrigin.optional().describe('Whose words these are; `untrusted` ones are to be fenced in prompts.'),
  idempotencyKey: IdempotencyKey.optional(),
});

export const Memory = z.object({
  id: z.string(),
  scope: MemoryScope,
  namespace: z.string(),
  kind: MemoryKind,
  content: z.string(),
  importance: z.number().optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  createdAt: Instant,
  expiresAt: Instant.optional(),
  validFrom: Instant.optional(),
  validTo: Instant.optional(),
  evergreen: z.boolean().optional(),
  origin: MemoryOrigin.optional(),
  rev: z.number().int().min(1).optional().describe('1, and one more with every update.'),
  supersededBy: z.string().optional().describe('The memory that replaced it; only with `includeHistory` or `asOf` is it shown at all.'),
  supersededAt: Instant.optional(),
  seenCount: z.number().int().min(1),
});
export type Memory = z.infer<typeof Memory>;

export const writeMemory = defineRpc({
  domain,
  name: 'write',
  version: 1,
  summary:
    'Stores one memory. After the answer it is durable and findable by text. An identical content in the same scope is merged (duplicate), a repeated idempotency key replayed.',
  data: WriteInput,
  response: z.object({ id: z.string(), result: z.enum(['created', 'duplicate', 'replayed']), embedding: z.enum(['pending', 'ready', 'none']) }),
  idempotent: true,
  errors: ['CONFLICT', 'PAYLOAD_TOO_LARGE'],
  examples: [{ content: '用户偏好使用PostgreSQL数据库', kind: 'preference' }],
});

export const searchMemory = defineRpc({
  domain,
  name: 'search',
  version: 1,
  summary:
    'Finds memories. The score belongs to the pair (query, memory), lies in 0..1 and means the same whatever else is stored; mode and degraded always say how it was found.',
  data: z.object({
    query: z.string().min(1).max(4_096),
    k: z.number().int().min(1).max(50).default(10),
    scopes: z.array(MemoryScope).max(10).optional().describe("Absent: the calling user's own scope."),
    namespace: z.string().max(128).optional(),
    kinds: z.array(MemoryKind).max(5).optional(),
    metadata: z.record(z.string().max(128), z.unknown()).optional().describe('What the metadata of a hit must contain.'),
    minScore: z.number().min(0).max(1).default(0.15),
    mode: z.enum(['auto', 'text', 'vector']).default('auto').describe('Which signals may count.'),
    asOf: Instant.optional().describe('What was believed, and true, then.'),
    includeHistory: z.boolean().default(false).describe('Also what was replaced by an update.'),
    decay: z.boolean().default(false).describe('Old memories rank lower; `score` and `minScore` stay what they are.'),
    importance: z.boolean().default(false).describe('Important memories rank higher.'),
    orderBy: z.enum(['score', 'rrf']).default('score'),
    mmr: z.boolean().default(false).describe('Prefers hits that differ from one another; one page only.'),
    collapse: z.boolean().default(false).describe('Of near-duplicates shows the best one, which names the others.'),
    typos: z.boolean().default(false).describe('Also takes Latin words that are spelt nearly like those of the query, for less.'),
    explain: z.boolean().default(false).describe('Says for every hit where its score comes from.'),
    cursor: z.string().max(2_048).optional().describe('Of an earlier answer to the same search.'),
  }),
  response: z.object({
    hits: z.array(
      Memory.extend({
        score: z.number().min(0).max(1),
        rankScore: z.number().min(0).optional().describe('What the order is by; differs from `score` with decay or importance.'),
        matched: z.array(z.string()),
        missing: z.array(z.string()),
        nearDuplicates: z.array(z.string()).optional().describe('With `collapse`: ids of hits that say nearly the same and are not shown.'),
        explain: z
          .object({
            lex: z.number(),
            sem: z.number().nullable(),
            cos: z.number().nullable(),
            floor: z.number().nullable(),
            lexicalRank: z.number().nullable(),
            vectorRank: z.number().nullable(),
            rrf: z.number(),
            decay: z.number().nullable(),
            importance: z.number().nullable(),
          })
          .optional()
          .describe('score = 1 - (1 - 0.9·sem)·(1 - 0.8·lex), sem = (cos - floor)/(1 - floor) within 0..1; equal texts score 1.'),
        contentTruncated: z.boolean().optional().describe('The content was cut so that the answer fits one message; `memory.get` returns all of it.'),
      }),
    ),
    mode: z.enum(['hybrid', 'vector', 'text', 'hybrid-lexical', 'like']),
    degraded: z.string().optional(),
    semantic: z.boolean(),
    order: z.enum(['score', 'rrf', 'mmr']).optional(),
    model: z.string().optional().describe('Whose vectors were compared.'),
    vectorScan: z.enum(['exact', 'hnsw']).optional(),
    coverage: z.number().min(0).max(1).optional().describe('Share of what could be found that has a vector.'),
    corrections: z
      .array(z.object({ term: z.string(), to: z.string(), similarity: z.number() }))
      .optional()
      .describe('With `typos`: spellings that counted, too, each by its similarity.'),
    nextCursor: z.string().optional(),
    exhausted: z.boolean().optional().describe('Nothing more is to be had behind this page.'),
    tookMs: z.number(),
  }),
  idempotent: true,
  examples: [{ query: '数据库', k: 5 }],
});

export const getMemory = defineRpc({
  domain,
  name: 'get',
  version: 1,
  summary: 'Returns one memory that the caller may see.',
  data: z.object({ id: z.string().min(1).max(64) }),
  response: z.object({
    memory: Memory,
    nearDuplicates: z
      .array(z.object({ id: z.string(), similarity: z.number().min(0).max(1), by: z.enum(['vectors', 'terms']) }))
      .optional()
      .describe('Other memories of the same place that say nearly the same. Found in the background; nothing is ever deleted for it.'),
  }),
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [{ id: 'mem_01jd2x3y4z5a6b7c8d9e0f1g2h' }],
});

export const listMemories = defineRpc({
  domain,
  name: 'list',
  version: 1,
  summary: 'Lists memories of one scope, newest first, by keyset.',
  data: z.object({
    scope: MemoryScope.optional(),
    limit: z.number().int().min(1).max(200).default(50),
    includeHistory: z.boolean().default(false).describe('Also what was replaced by an update.'),
    cursor: z.string().max(512).optional(),
  }),
  response: z.object({ memories: z.array(Memory), nextCursor: z.string().optional() }),
  idempotent: true,
  examples: [{}],
});

export const updateMemory = defineRpc({
  domain,
  name: 'update',
  version: 1,
  summary:
    'Replaces a memory by a new revision. The old one stays, is found only with `includeHistory` or `asOf`, and names its successor. Needs the right to delete it.',
  data: z.object({
    id: z.string().min(1).max(64),
    content: z.string().min(1).max(262_144),
    kind: MemoryKind.optional(),
    importance: z.number().min(0).max(1).optional(),
    metadata: z.record(z.string().max(128), z.unknown()).optional(),
    expiresAt: Instant.optional(),
    validFrom: Instant.optional(),
    validTo: Instant.optional(),
    evergreen: z.boolean().optional(),
  }),
  response: z.object({ id: z.string(), supersedes: z.string(), result: z.enum(['created', 'duplicate']), embedding: z.enum(['pending', 'ready', 'none']) }),
  errors: ['NOT_FOUND', 'CONFLICT', 'PAYLOAD_TOO_LARGE'],
  examples: [{ id: 'mem_01jd2x3y4z5a6b7c8d9e0f1g2h', content: '住在上海' }],
});

export const deleteMemory = defineRpc({
  domain,
  name: 'delete',
  version: 1,
  summary: 'Makes a memory invisible at once and for good.',
  data: z.object({ id: z.string().min(1).max(64) }),
  response: z.object({ deleted: z.boolean() }),
  idempotent: true,
  examples: [{ id: 'mem_01jd2x3y4z5a6b7c8d9e0f1g2h' }],
});

export const memoryStats = defineRpc({
  domain,
  name: 'stats',
  version: 1,
  summary: "Counts of the caller's tenant, and what is pending.",
  data: z.object({}),
  response: z.object({
    memories: z.number().int(),
    pendingEmbeddings: z.number().int(),
    vectorExtension: z.boolean(),
    backend: z.enum(['pglite', 'postgres']),
    failedEmbeddings: z.number().int().optional().describe('Refused by the model; found by their words only.'),
    oldestPendingSeconds: z.number().optional(),
    terms: z
      .object({ version: z.number().int(), pending: z.number().int() })
      .optional()
      .describe('Version of the rules that split texts into terms, and how many memories still have terms of an earlier one.'),
    models: z
      .array(
        z.object({
          id: z.string(),
          kind: z.enum(['semantic', 'lexical-hash']),
          state: z.enum(['building', 'active', 'retired']),
          dimensions: z.number().int(),
          floor: z.number().optional(),
          progress: z.number().min(0).max(1).optional(),
        }),
      )
      .optional(),
  }),
  idempotent: true,
  examples: [{}],
});

export const writeMemoryCommand = defineCommand({
  domain,
  name: 'write',
  version: 1,
  key: ['scope'],
  summary:
    'Write a memory without waiting for it: once the publish is acknowledged it will be stored. The CloudEvent id is the idempotency key when none is given.',
  data: WriteInput.extend({ user: z.string().min(1).max(256).describe('Whose memory it is; becomes the scope when none is given.') }),
  examples: [{ user: 'me', content: 'Prefers short answers.', kind: 'preference' }],
});

export const embedMemoryCommand = defineCommand({
  domain,
  name: 'embed',
  version: 1,
  key: ['memoryId'],
  summary: 'Make the vectors of one memory with one model. Carries ids only; a job that is obsolete when it arrives is done.',
  data: z.object({ memoryId: z.string().max(64), rev: z.number().int().min(1), modelId: z.string().max(256) }),
  examples: [{ memoryId: 'mem_01jd2x3y4z5a6b7c8d9e0f1g2h', rev: 1, modelId: 'local-hash:hash:512:v1' }],
});

export const memoryWritten = defineEvent({
  domain,
  name: 'written',
  version: 1,
  key: ['memoryId'],
  summary: 'A memory was created. Carries no content.',
  data: z.object({ memoryId: z.string(), scope: MemoryScope, kind: MemoryKind }),
  examples: [{ memoryId: 'mem_01jd2x3y4z5a6b7c8d9e0f1g2h', scope: { kind: 'user', id: 'me' }, kind: 'note' }],
});
