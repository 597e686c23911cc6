import { z } from 'zod';
import { IdempotencyKey, Instant } from './common.js';
import { defineCommand, defineEvent, defineRpc } from './define.js';

const domain = 'memory';

export const MemoryScope = z.object({ kind: z.enum(['user', 'session', 'agent', 'shared']), id: z.string().min(1).max(512) });
export const MemoryKind = z.enum(['fact', 'preference', 'episode', 'summary', 'note']);

const WriteInput = z.object({
  content: z.string().min(1).max(262_144).describe('At most 64 KiB of UTF-8; more is refused with PAYLOAD_TOO_LARGE.'),
  kind: MemoryKind.default('note'),
  scope: MemoryScope.optional().describe("Absent: the calling user's own scope."),
  namespace: z.string().max(128).default(''),
  importance: z.number().min(0).max(1).optional(),
  metadata: z.record(z.string().max(128), z.unknown()).optional(),
  expiresAt: Instant.optional(),
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
    minScore: z.number().min(0).max(1).default(0.15),
  }),
  response: z.object({
    hits: z.array(
      Memory.extend({
        score: z.number().min(0).max(1),
        matched: z.array(z.string()),
        missing: z.array(z.string()),
        contentTruncated: z.boolean().optional().describe('The content was cut so that the answer fits one message; `memory.get` returns all of it.'),
      }),
    ),
    mode: z.enum(['hybrid', 'vector', 'text', 'hybrid-lexical', 'like']),
    degraded: z.string().optional(),
    semantic: z.boolean(),
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
  response: z.object({ memory: Memory }),
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [{ id: 'mem_01jd2x3y4z5a6b7c8d9e0f1g2h' }],
});

export const listMemories = defineRpc({
  domain,
  name: 'list',
  version: 1,
  summary: 'Lists memories of one scope, newest first, by keyset.',
  data: z.object({ scope: MemoryScope.optional(), limit: z.number().int().min(1).max(200).default(50), cursor: z.string().max(512).optional() }),
  response: z.object({ memories: z.array(Memory), nextCursor: z.string().optional() }),
  idempotent: true,
  examples: [{}],
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

export const memoryWritten = defineEvent({
  domain,
  name: 'written',
  version: 1,
  key: ['memoryId'],
  summary: 'A memory was created. Carries no content.',
  data: z.object({ memoryId: z.string(), scope: MemoryScope, kind: MemoryKind }),
  examples: [{ memoryId: 'mem_01jd2x3y4z5a6b7c8d9e0f1g2h', scope: { kind: 'user', id: 'me' }, kind: 'note' }],
});
