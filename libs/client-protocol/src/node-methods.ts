import { z } from 'zod';
import { method, nodeMethod, SCOPE } from './define-method.js';

const nodeId = z.string().trim().min(1).max(256);
const invokeId = z.string().min(1).max(256);
const command = z.string().trim().min(1).max(256);
/** JSON inside JSON, as nodes of every version write it. */
const json = z.string().max(8_000_000);
const nothing = z.object({}).optional().default({});

/** Methods about nodes, and those that nodes call themselves. */
export const NODE_METHODS = {
  'node.list': method(SCOPE.read, nothing),
  'node.describe': method(SCOPE.read, z.object({ nodeId })),
  'node.pair.list': method(SCOPE.pairing, nothing),
  'node.invoke': method(
    SCOPE.write,
    z.object({
      nodeId,
      command,
      idempotencyKey: z.string().trim().min(1).max(256),
      params: z.unknown().optional(),
      timeoutMs: z.number().int().min(0).max(600_000).optional().describe('How long the node may take; 0 or absent: 30 s.'),
    }),
  ),

  'node.event': nodeMethod(z.object({ event: z.string().trim().min(1).max(128), payload: z.unknown().optional(), payloadJSON: json.optional() })),
  'node.invoke.result': nodeMethod(
    z.object({
      id: invokeId,
      nodeId,
      ok: z.boolean(),
      payload: z.unknown().optional(),
      payloadJSON: json.nullish(),
      error: z.object({ code: z.string().max(128).optional(), message: z.string().max(4_000).optional() }).nullish(),
    }),
  ),
  'node.invoke.progress': nodeMethod(z.object({ invokeId, nodeId, seq: z.number().int().min(0), chunk: z.string().max(16_384) })),
  'node.pluginTools.update': nodeMethod(z.object({ tools: z.array(z.looseObject({ name: z.string().max(64), description: z.string().max(4_000) })).max(512) })),
  'node.skills.update': nodeMethod(z.object({ skills: z.array(z.looseObject({ name: z.string().max(64), description: z.string().max(1_024) })).max(64) })),
  'node.runnerInventory.update': nodeMethod(z.looseObject({}).optional().default({})),
  'node.pending.drain': nodeMethod(
    z
      .object({ maxItems: z.number().int().min(1).max(10).optional() })
      .optional()
      .default({}),
  ),
  'node.pending.pull': nodeMethod(z.looseObject({}).optional().default({})),
} as const;
