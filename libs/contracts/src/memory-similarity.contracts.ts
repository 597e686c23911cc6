import { z } from 'zod';
import { defineRpc } from './define.js';

export const similarity = defineRpc({
  domain: 'memory',
  name: 'similarity',
  version: 1,
  summary:
    'Cosine similarity of one text with others, by the embedding model of the tenant. Without one, `available` is false and nothing is guessed. Role service only.',
  data: z.object({
    text: z.string().min(1).max(4_000),
    others: z
      .array(z.object({ id: z.string().max(128), text: z.string().min(1).max(2_000) }))
      .min(1)
      .max(200),
  }),
  response: z.object({ available: z.boolean(), model: z.string().optional(), scores: z.array(z.object({ id: z.string(), score: z.number() })) }),
  idempotent: true,
  timeoutMs: 10_000,
  examples: [{ text: 'Import finished', others: [{ id: 'sub_1', text: 'data imports' }] }],
});
