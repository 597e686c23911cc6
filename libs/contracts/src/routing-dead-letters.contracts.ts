import { z } from 'zod';
import { Instant } from './common.js';
import { defineRpc } from './define.js';

const domain = 'routing';

const Seq = z.number().int().min(1).describe('Sequence in PLEXUS_DLQ: names the dead letter.');

/** A message of the tenant that nobody could handle. */
export const DeadLetter = z.object({
  seq: Seq,
  consumer: z.string().describe('Who gave up on it.'),
  code: z.string(),
  reason: z.string().describe('One sentence for people.'),
  attempts: z.number().int().min(0),
  originSubject: z.string(),
  originStream: z.string(),
  originSeq: z.number().int().min(0),
  parkedAt: Instant.or(z.literal('')),
  bytes: z.number().int().min(0),
});
export type DeadLetter = z.infer<typeof DeadLetter>;

/** What became of one of several dead letters. */
export const DeadLetterOutcome = z.object({
  seq: Seq,
  ok: z.boolean(),
  stream: z.string().optional().describe('Where it was published again.'),
  streamSeq: z.number().int().optional(),
  code: z.string().optional().describe('Why not.'),
  message: z.string().optional(),
});
export type DeadLetterOutcome = z.infer<typeof DeadLetterOutcome>;

const Seqs = z.object({ seqs: z.array(Seq).min(1).max(100) });
const Outcomes = z.object({ outcomes: z.array(DeadLetterOutcome) });

export const listDeadLetters = defineRpc({
  domain,
  name: 'list-dead-letters',
  version: 1,
  summary: "Lists the tenant's parked messages, oldest first. Needs operator.admin: they may be anybody's.",
  data: z.object({
    consumer: z.string().min(1).max(128).optional(),
    after: z.number().int().min(0).optional().describe('`next` of the page before.'),
    limit: z.number().int().min(1).max(500).optional().describe('Default 100.'),
  }),
  response: z.object({ letters: z.array(DeadLetter), next: z.number().int().optional().describe('Present when there may be more.') }),
  timeoutMs: 15_000,
  idempotent: true,
  examples: [{}, { consumer: 'push-in', after: 41, limit: 50 }],
});

export const getDeadLetter = defineRpc({
  domain,
  name: 'get-dead-letter',
  version: 1,
  summary: 'Shows one parked message of the tenant with its original body, as text where it is text. Needs operator.admin.',
  data: z.object({ seq: Seq }),
  response: z.object({
    letter: DeadLetter,
    text: z.string().optional().describe('The body, when it is UTF-8.'),
    base64: z.string().optional().describe('The body, when it is not.'),
    truncated: z.boolean().describe('Only the first 256 KiB are shown.'),
  }),
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [{ seq: 42 }],
});

export const redriveDeadLetters = defineRpc({
  domain,
  name: 'redrive-dead-letters',
  version: 1,
  summary:
    'Publishes the original bytes of parked messages to their original subjects, and removes them from the dead letters. One that fails does not stop the others. Every reader of the stream sees the message again. Needs operator.admin.',
  data: Seqs,
  response: Outcomes,
  timeoutMs: 30_000,
  examples: [{ seqs: [42] }],
});

export const dropDeadLetters = defineRpc({
  domain,
  name: 'drop-dead-letters',
  version: 1,
  summary: 'Removes parked messages for good. Needs operator.admin.',
  data: Seqs,
  response: Outcomes,
  timeoutMs: 30_000,
  idempotent: true,
  examples: [{ seqs: [42, 43] }],
});
