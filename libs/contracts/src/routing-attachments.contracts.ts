import { z } from 'zod';
import { SessionKey, Ulid } from './common.js';
import { defineRpc } from './define.js';
import { actingFor } from './routing-fields.js';
import { AttachmentInfo } from './routing-shapes.js';

const domain = 'routing';

/** What one question carries of an attachment; its base64 and what is around it stay far below the 1 MiB of a NATS message. */
export const ATTACHMENT_PART_BYTES = 512 * 1024;
/** What one message may bring along, all its attachments together. */
export const ATTACHMENT_LIMITS = { count: 8, bytes: 10 * 1024 * 1024 } as const;

const PartText = z.string().max(Math.ceil(ATTACHMENT_PART_BYTES / 3) * 4);

export const storeAttachment = defineRpc({
  domain,
  name: 'store-attachment',
  version: 1,
  summary:
    'Keeps one part of a file that a message will bring along. `accept-message` then names it; one that no message names is removed after an hour. Repeating a part changes nothing.',
  data: AttachmentInfo.extend({
    part: z.number().int().min(0).max(31).describe('From 0; every part but the last has ATTACHMENT_PART_BYTES bytes.'),
    data: PartText.describe('Base64.'),
  }),
  response: z.object({ attachmentId: Ulid, stored: z.number().int().min(0).describe('Bytes that are there now.') }),
  idempotent: true,
  errors: ['PAYLOAD_TOO_LARGE', 'QUOTA_EXCEEDED', 'CONFLICT'],
  examples: [
    {
      attachmentId: '01jd2x3y4z5a6b7c8d9e0f1g2h',
      name: 'notes.txt',
      mimeType: 'text/plain',
      bytes: 5,
      sha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
      part: 0,
      data: 'aGVsbG8=',
    },
  ],
});

export const readAttachment = defineRpc({
  domain,
  name: 'read-attachment',
  version: 1,
  summary: 'One part of a file that a message of this session brought along. For whoever may read the session.',
  data: z.object({ sessionKey: SessionKey, attachmentId: Ulid, part: z.number().int().min(0).max(31).default(0), ...actingFor }),
  response: z.object({
    attachment: AttachmentInfo,
    data: PartText,
    next: z.number().int().optional().describe('The part behind this one; absent: it was the last.'),
  }),
  idempotent: true,
  errors: ['SESSION_NOT_FOUND', 'NOT_FOUND'],
  examples: [{ sessionKey: 'agent:main:main', attachmentId: '01jd2x3y4z5a6b7c8d9e0f1g2h' }],
});
