import { z } from 'zod';
import { Encrypted } from './frame-parts.js';

/** What boxes with the secret variables of an MCP server are sealed for; their name is `<session>/<server>`. */
export const MCP_ENVIRONMENT_PURPOSE = 'mcp-environment';

/** One entry of `mcp_servers`: a program that the VM runs, or a remote server that is asked through `mcp_call`. */
export const McpServerEntry = z.looseObject({
  name: z
    .string()
    .max(64)
    .regex(/^[a-z0-9][a-z0-9_-]*$/),
  transport: z.enum(['stdio', 'remote']),
  command: z.string().max(4_096).optional(),
  args: z.array(z.string().max(32_768)).max(256).default([]),
  env: z.record(z.string(), z.string()).default({}).describe('Variables that hold no secret.'),
  sealed_env: z
    .array(Encrypted)
    .max(2)
    .optional()
    .describe('The others, as a JSON object; the same text for each bootstrap secret that the incarnation may have.'),
  fault: z.string().max(2_000).optional().describe('Why the server cannot be used: what could not be resolved, never a value.'),
  start_timeout_ms: z.number().int().min(1).optional(),
  timeout_ms: z.number().int().min(1).optional(),
});
export type McpServerEntry = z.infer<typeof McpServerEntry>;

/** Name of the pseudo tool that `mcp_call` answers with the tools of a server. */
export const MCP_LIST_TOOLS = 'tools/list';
