import { z } from 'zod';
import { method, SCOPE } from './define-method.js';

const id = z.string().trim().min(1).max(128);
/** Older clients say `jobId`. */
const named = z.object({ id: id.optional(), jobId: id.optional() }).refine((params) => (params.id ?? params.jobId) !== undefined, { error: 'needs id' });
const name = z.string().trim().min(1).max(200);

const schedule = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('cron'), expr: z.string().trim().min(1).max(200), tz: z.string().max(64).optional() }),
  z.object({ kind: z.literal('every'), everyMs: z.number().int().min(1) }),
  z.object({ kind: z.literal('at'), at: z.string().min(1).max(64) }),
  z.looseObject({ kind: z.literal('on-exit') }),
  z.looseObject({ kind: z.literal('stream') }),
]);
const payload = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('systemEvent'), text: z.string().min(1).max(100_000) }),
  z.object({ kind: z.literal('agentTurn'), message: z.string().min(1).max(100_000), timeoutSeconds: z.number().min(0).max(3_600).optional() }),
  z.looseObject({ kind: z.literal('command') }),
  z.looseObject({ kind: z.literal('script') }),
]);
const sessionTarget = z.string().regex(/^(main|isolated|current|session:.+)$/, { error: 'must be main, isolated, current or session:<key>' });
const agentId = z.string().trim().min(1).max(64).nullish();
const sessionKey = z.string().trim().min(1).max(512).nullish();

export const CronJobInput = z.object({
  name,
  description: z.string().max(1_000).optional(),
  enabled: z.boolean().optional(),
  agentId,
  sessionKey,
  schedule,
  sessionTarget,
  wakeMode: z.enum(['next-heartbeat', 'now']).optional(),
  payload,
});
export type CronJobInput = z.output<typeof CronJobInput>;

/** Methods about jobs that run by themselves. */
export const CRON_METHODS = {
  'cron.list': method(
    SCOPE.read,
    z
      .object({
        includeDisabled: z.boolean().optional(),
        enabled: z.enum(['all', 'enabled', 'disabled']).optional(),
        query: z.string().max(200).optional(),
        agentId: z.string().max(64).optional(),
        limit: z.number().int().min(1).max(200).optional(),
        offset: z.number().int().min(0).optional(),
      })
      .optional()
      .default({}),
  ),
  'cron.status': method(SCOPE.read, z.object({}).optional().default({})),
  'cron.get': method(SCOPE.read, named),
  'cron.runs': method(
    SCOPE.read,
    z
      .object({ id: id.optional(), jobId: id.optional(), limit: z.number().int().min(1).max(200).optional(), offset: z.number().int().min(0).optional() })
      .optional()
      .default({}),
  ),
  'cron.add': method(SCOPE.admin, CronJobInput),
  'cron.update': method(SCOPE.admin, z.object({ id: id.optional(), jobId: id.optional(), patch: CronJobInput.partial() })),
  'cron.remove': method(SCOPE.admin, named),
  'cron.run': method(SCOPE.admin, z.object({ id: id.optional(), jobId: id.optional(), mode: z.enum(['due', 'force', 'if-enabled']).optional() })),
} as const;
