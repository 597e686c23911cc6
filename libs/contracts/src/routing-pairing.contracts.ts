import { z } from 'zod';
import { Instant } from './common.js';
import { defineRpc } from './define.js';

const domain = 'routing';

/** 8 characters without look-alikes; read in any case. */
const PairingCode = z.string().trim().min(4).max(16);

/** A stranger that wrote to a channel account and waits to be let in. */
export const PairingRequest = z.object({
  code: z.string(),
  channel: z.string(),
  account: z.string(),
  senderId: z.string(),
  senderName: z.string().optional(),
  messages: z.number().int().min(1).describe('How often the stranger wrote.'),
  createdAt: Instant,
  expiresAt: Instant,
});
export type PairingRequest = z.infer<typeof PairingRequest>;

export const listPairings = defineRpc({
  domain,
  name: 'list-pairings',
  version: 1,
  summary: 'Lists strangers that wait to be approved, newest first. Needs operator.pairing.',
  data: z.object({ channel: z.string().max(64).optional() }),
  response: z.object({ requests: z.array(PairingRequest) }),
  idempotent: true,
  examples: [{}],
});

export const approvePairing = defineRpc({
  domain,
  name: 'approve-pairing',
  version: 1,
  summary: 'Lets the stranger with this code in, on that channel account. Wrong codes are counted: too many and the caller has to wait.',
  data: z.object({ code: PairingCode, channel: z.string().max(64).optional() }),
  response: z.object({ channel: z.string(), account: z.string(), senderId: z.string(), senderName: z.string().optional() }),
  errors: ['NOT_FOUND', 'RATE_LIMITED'],
  examples: [{ code: 'KX7M2QPR', channel: 'telegram' }],
});

export const rejectPairing = defineRpc({
  domain,
  name: 'reject-pairing',
  version: 1,
  summary: 'Keeps the stranger with this code out: its further messages are refused without a new code.',
  data: z.object({ code: PairingCode, channel: z.string().max(64).optional() }),
  response: z.object({ channel: z.string(), account: z.string(), senderId: z.string(), senderName: z.string().optional() }),
  errors: ['NOT_FOUND', 'RATE_LIMITED'],
  examples: [{ code: 'KX7M2QPR' }],
});
