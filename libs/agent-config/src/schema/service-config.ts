import { z } from 'zod';
import { SecretRef } from '../secrets/secret-ref.js';
import { Names, OptionalText, PluginId, Text } from './names.js';

/** Requests from outside that wake an agent. */
export const HooksConfig = z.strictObject({
  enabled: z.boolean().optional().meta({ description: 'Accept hooks.', default: false }),
  token: SecretRef.optional().describe('Where the token is that callers of hooks present.'),
  gmail: z
    .strictObject({
      account: OptionalText(320).describe('Mailbox that is watched.'),
      label: OptionalText(256).describe('Only mail with this label.'),
      agentId: OptionalText(64).describe('Who is woken. Absent: the default agent.'),
    })
    .optional()
    .describe('New mail wakes an agent.'),
});
export type HooksConfig = z.infer<typeof HooksConfig>;

export const PluginsConfig = z.strictObject({
  enabled: z.boolean().optional().meta({ description: 'False: no plugin runs.', default: true }),
  entries: z
    .record(
      PluginId,
      z.strictObject({
        enabled: z.boolean().optional().meta({ description: 'A disabled plugin is not loaded.', default: true }),
        config: z.unknown().optional().describe("Settings of the plugin, checked against the plugin's JSON Schema."),
      }),
    )
    .optional()
    .describe('Plugins by id.'),
  allow: Names(1_000).optional().describe('Only these plugins run. Empty or absent: every plugin.'),
  deny: Names(1_000).optional().describe('These plugins never run.'),
  slots: z
    .strictObject({ memory: Text(64).optional().describe('Plugin that keeps the memory; `none`: the memory service.') })
    .optional()
    .describe('Tasks that exactly one plugin has.'),
  load: z
    .strictObject({ paths: Names(100).optional().describe('Further folders with plugins.') })
    .optional()
    .describe('Where plugins are found.'),
});
export type PluginsConfig = z.infer<typeof PluginsConfig>;

export const GatewayConfig = z.strictObject({
  reload: z
    .strictObject({
      mode: z.enum(['off', 'restart', 'hot', 'hybrid']).optional().meta({
        description: 'What a change does: nothing, restart what it concerns, only what can change at run time, or that and restarts for the rest.',
        default: 'hybrid',
      }),
      debounceMs: z.number().int().min(0).max(600_000).optional().meta({ description: 'Quiet time after a change before it is applied.', default: 300 }),
    })
    .optional()
    .describe('How changes of this document are applied.'),
});
export type GatewayConfig = z.infer<typeof GatewayConfig>;

const Concurrency = z.number().int().min(1).max(10_000).optional();

/** Runs of one kind at the same time. */
export const LanesConfig = z.strictObject({
  main: Concurrency.meta({ description: 'Runs for messages.', default: 4 }),
  subagent: Concurrency.meta({ description: 'Runs that other runs started.', default: 8 }),
  cron: Concurrency.meta({ description: 'Runs of cron jobs and heartbeats; `cron.maxConcurrent` is the same.', default: 1 }),
});
export type LanesConfig = z.infer<typeof LanesConfig>;

const Days = z.number().int().min(0).max(36_500).optional();

export const RetentionConfig = z.strictObject({
  transcriptDays: Days.describe('Messages of sessions are kept this long. 0 or absent: for ever.'),
  deliveryDays: Days.describe('Sends and their attempts are kept this long. 0 or absent: as the routing service does by itself.'),
});
export type RetentionConfig = z.infer<typeof RetentionConfig>;

/** Notes that tools leave in the document; nothing reads them, and a change of them does nothing. */
export const MetaConfig = z.record(z.string().min(1).max(64), z.union([z.string().max(1_024), z.number(), z.boolean()]));
export type MetaConfig = z.infer<typeof MetaConfig>;
