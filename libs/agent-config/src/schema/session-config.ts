import { z } from 'zod';
import { OptionalText } from './names.js';

export const SessionConfig = z.strictObject({
  dmScope: z
    .enum(['main', 'per-peer', 'per-channel-peer', 'per-account-channel-peer'])
    .optional()
    .describe('Which direct messages share a session. Absent: main.'),
  mainKey: OptionalText(128).describe('Name of the main session. Absent: main.'),
  scope: z.enum(['per-sender', 'global']).optional().describe('`global`: one session for everything. Absent: per-sender.'),
  identityLinks: z
    .record(z.string().min(1).max(256), z.array(z.string().min(1).max(256)).max(100))
    .optional()
    .describe('Canonical name → peers that are the same person; order matters.'),
});
export type SessionConfig = z.infer<typeof SessionConfig>;
