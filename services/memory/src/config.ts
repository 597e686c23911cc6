import { readFileSync } from 'node:fs';
import { ConfigurationError } from '@plexus/kernel';
import { z } from 'zod';
import type { EmbedderSettings } from './adapters/embedding/embedders.js';

const flag = z
  .enum(['0', '1'])
  .optional()
  .transform((value) => (value === undefined ? undefined : value === '1'));

/** Settings of memory, beside those that every service has. */
export const memoryConfig = z.object({
  MEMORY_DATABASE_URL: z
    .string()
    .regex(/^(postgres(ql)?:\/\/|pglite:.)/, { error: 'must be a postgresql:// URL, or pglite:<directory> for PGlite inside this process' })
    .describe('Where memories are kept.'),
  MEMORY_DATABASE_SCHEMA: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,62}$/, { error: 'must be a lower-case SQL identifier' })
    .default('memory')
    .describe('Postgres schema of memory.'),
  MEMORY_DATABASE_CONNECTIONS: z.coerce.number().int().min(2).max(100).default(8).describe('Most connections of one replica; PGlite has one.'),
  MEMORY_MIGRATE: flag.describe(
    '1: apply missing migrations at the start, under a lock; 0: refuse to start without them. Default: 1 with PGlite and in an embedded mesh, else 0.',
  ),
  MEMORY_EMBEDDER: z
    .enum(['local-hash', 'openai', 'none'])
    .default('local-hash')
    .describe(
      'Who makes vectors. local-hash: inside this process, compares spellings, not meanings; openai: any OpenAI-compatible endpoint; none: words only.',
    ),
  MEMORY_EMBEDDING_BASE_URL: z
    .string()
    .regex(/^https?:\/\/[^\s?#]+$/, { error: 'must be an http(s) URL up to and with /v1' })
    .optional()
    .describe('Endpoint of the embedder openai, up to and with /v1.'),
  MEMORY_EMBEDDING_MODEL: z.string().min(1).max(128).optional().describe('Model that the endpoint is asked for.'),
  MEMORY_EMBEDDING_DIMENSIONS: z.coerce.number().int().min(8).max(4_000).optional().describe('Width of its vectors; local-hash: 512 unless given.'),
  MEMORY_EMBEDDING_API_KEY_FILE: z.string().min(1).optional().describe('File that holds the key of the endpoint. Never inherited from the chat model.'),
  MEMORY_EMBEDDING_QUERY_PREFIX: z.string().max(200).default('').describe('Put before queries, for models that want it.'),
  MEMORY_EMBEDDING_DOCUMENT_PREFIX: z.string().max(200).default('').describe('Put before memories, for models that want it.'),
  MEMORY_EMBEDDING_MAX_BATCH: z.coerce.number().int().min(1).max(2_048).default(64).describe('Most texts of one request; some servers take 32.'),
  MEMORY_EMBEDDING_CONCURRENCY: z.coerce.number().int().min(1).max(64).default(4).describe('Requests at a time; 1 for Ollama.'),
  MEMORY_EMBEDDING_TIMEOUT_MS: z.coerce.number().int().min(100).max(600_000).default(30_000).describe('Time limit of one request. Queries wait 300 ms.'),
  PLEXUS_MASTER_KEY: z.string().optional().describe('Wraps the keys of tenants at rest; production refuses none and weak ones. Prefer the file.'),
  PLEXUS_MASTER_KEY_FILE: z.string().min(1).optional().describe('File with the same; wins over the variable.'),
  PLEXUS_MASTER_KEY_PREVIOUS_FILE: z.string().min(1).optional().describe('File with the master key used before: what it wrapped is wrapped anew at the start.'),
  MEMORY_SESSION_WINDOW_TOKENS: z.coerce
    .number()
    .int()
    .min(1_000)
    .max(100_000_000)
    .optional()
    .describe('Context window that sessions are flushed and compacted for where nobody names one; 200000 unless given.'),
  MEMORY_SESSION_RETENTION_DAYS: z.coerce
    .number()
    .int()
    .min(1)
    .max(36_500)
    .default(90)
    .describe('How long messages are kept after they have left the context. What became memories stays.'),
  PLEXUS_EMBEDDED: flag.describe('1: part of a mesh that one command started and that nobody administrates.'),
});
export type MemoryConfig = z.output<typeof memoryConfig>;

/** Without a setting: PGlite is migrated by its only opener, an embedded mesh by itself, any other database by whoever administrates it. */
export function mayMigrate(config: MemoryConfig): boolean {
  return config.MEMORY_MIGRATE ?? (config.PLEXUS_EMBEDDED === true || config.MEMORY_DATABASE_URL.startsWith('pglite:'));
}

/** What the settings say about vectors; throws ConfigurationError when they do not go together or the key cannot be read. */
export function embedderSettings(config: MemoryConfig): EmbedderSettings {
  const { MEMORY_EMBEDDER: kind, MEMORY_EMBEDDING_DIMENSIONS: dimensions, MEMORY_EMBEDDING_BASE_URL: baseUrl, MEMORY_EMBEDDING_MODEL: model } = config;
  if (kind === 'none') return { kind };
  if (kind === 'local-hash') return { kind, dimensions: dimensions ?? 512 };
  if (baseUrl === undefined || model === undefined || dimensions === undefined) {
    throw new ConfigurationError('MEMORY_EMBEDDER=openai needs MEMORY_EMBEDDING_BASE_URL, MEMORY_EMBEDDING_MODEL and MEMORY_EMBEDDING_DIMENSIONS');
  }
  const file = config.MEMORY_EMBEDDING_API_KEY_FILE;
  return {
    kind,
    baseUrl,
    model,
    dimensions,
    ...(file === undefined ? {} : { apiKey: readKey(file) }),
    queryPrefix: config.MEMORY_EMBEDDING_QUERY_PREFIX,
    documentPrefix: config.MEMORY_EMBEDDING_DOCUMENT_PREFIX,
    maxBatch: config.MEMORY_EMBEDDING_MAX_BATCH,
    concurrency: config.MEMORY_EMBEDDING_CONCURRENCY,
    timeoutMs: config.MEMORY_EMBEDDING_TIMEOUT_MS,
  };
}

function readKey(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new ConfigurationError(`MEMORY_EMBEDDING_API_KEY_FILE: ${file} cannot be read`, { cause });
  }
}
