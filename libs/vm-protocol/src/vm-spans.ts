import { z } from 'zod';

/**
 * What a runtime tells of its part of a trace. A VM reaches nothing but its socket, so the gateway hands these on to where its own spans go. Names and
 * attributes are made there, from the fields below and from nothing else: no content, no names of other services.
 */

const traceId = z.string().regex(/^(?!0{32})[0-9a-f]{32}$/);
const spanId = z.string().regex(/^(?!0{16})[0-9a-f]{16}$/);
const label = z.string().min(1).max(128);
const tokens = z.number().int().min(0).max(2_000_000_000);

/** One finished span. */
export const VmSpan = z.object({
  trace_id: traceId.describe('Of a trace that came with a message; any other is not taken.'),
  span_id: spanId,
  parent_span_id: spanId,
  op: z.enum(['run', 'chat', 'tool', 'mcp']).describe('A run, a call of a model, of a tool, of an MCP server.'),
  start_ms: z.number().min(0).max(8_640_000_000_000_000).describe('Milliseconds since the epoch.'),
  duration_ms: z.number().min(0).max(604_800_000),
  session_id: z.string().min(1).max(256).optional(),
  run_id: z.string().min(1).max(256).optional(),
  agent: label.optional(),
  model: label.optional(),
  provider: label.optional(),
  input_tokens: tokens.optional(),
  output_tokens: tokens.optional(),
  tool: label.optional(),
  call_id: label.optional(),
  server: label.optional().describe('The name of the MCP server in the configuration.'),
  error: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,64}$/)
    .optional()
    .describe('A stable code. Absent: it went well.'),
});
export type VmSpan = z.infer<typeof VmSpan>;

/** Lossy: never numbered, never repeated. Sent only to a mesh that has said in `init.limits.spans_per_second` that it takes them. */
export const SpansFrame = z.looseObject({
  type: z.literal('spans'),
  spans: z.array(VmSpan).max(64),
  dropped: z.number().int().min(0).optional().describe('Spans since the last frame for which there was no room.'),
});
