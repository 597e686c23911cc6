import { z } from 'zod';
import { AdapterId } from './names.js';

export const QueueMode = z.enum(['collect', 'steer', 'followup', 'interrupt']);
export type QueueMode = z.infer<typeof QueueMode>;

const fields = {
  mode: QueueMode.optional().meta({
    description: 'Messages to a busy session: gathered into the next run, passed into the running one, one run each, or the running one is stopped.',
    default: 'collect',
  }),
  debounceMs: z.number().int().min(0).max(600_000).optional().meta({ description: 'Quiet time before gathered messages become a run.', default: 1_000 }),
  cap: z
    .number()
    .int()
    .min(1)
    .max(1_000)
    .optional()
    .meta({ description: 'Waiting messages of one session; the oldest beyond it are dropped and counted.', default: 20 }),
};

/** What happens to messages of a session that is busy. Each field is resolved alone. */
export const QueueConfig = z.strictObject({
  ...fields,
  byChannel: z.record(AdapterId, z.strictObject(fields)).optional().describe('Other values for messages of a channel.'),
});
export type QueueConfig = z.infer<typeof QueueConfig>;
