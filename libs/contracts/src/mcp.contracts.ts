import { z } from 'zod';
import { defineRpc } from './define.js';

const domain = 'mcp';

const ServerId = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, { error: 'must be [a-z0-9][a-z0-9_-]{0,63}' });
const Asker = {
  sessionId: z.string().min(1).max(256).optional().describe('Whose agent decides which servers may be used. A VM has to name it.'),
};

export const McpTool = z.object({
  name: z.string(),
  description: z.string().optional(),
  inputSchema: z.record(z.string(), z.unknown()).describe('JSON Schema of the arguments.'),
});
export type McpTool = z.infer<typeof McpTool>;

export const listMcpTools = defineRpc({
  domain,
  name: 'tools',
  version: 1,
  summary: 'The tools of one remote MCP server of the tenant (`mcp.servers`, those with a `url`).',
  data: z.object({ server: ServerId, ...Asker }),
  response: z.object({ tools: z.array(McpTool) }),
  timeoutMs: 30_000,
  idempotent: true,
  errors: ['NOT_FOUND', 'FORBIDDEN', 'UNAVAILABLE', 'TIMEOUT', 'PAYLOAD_TOO_LARGE'],
  examples: [{ server: 'tickets' }],
});

export const callMcpTool = defineRpc({
  domain,
  name: 'call',
  version: 1,
  summary:
    "Calls a tool of a remote MCP server with the tenant's credentials. `result` is what the server answered (`content`, `isError`, …) and goes unchanged into the answer of the VM's `mcp_call`. The tool name `tools/list` is answered with `{tools}`, as `mcp.tools` does.",
  data: z.object({
    server: ServerId,
    tool: z.string().min(1).max(256),
    arguments: z.record(z.string(), z.unknown()).default({}),
    ...Asker,
    timeoutMs: z.number().int().min(100).max(55_000).optional().describe("At most the server's own limit, which also holds when this is absent."),
  }),
  response: z.object({ result: z.record(z.string(), z.unknown()) }),
  timeoutMs: 60_000,
  errors: ['NOT_FOUND', 'FORBIDDEN', 'UNAVAILABLE', 'TIMEOUT', 'QUEUE_FULL', 'PAYLOAD_TOO_LARGE'],
  examples: [{ server: 'tickets', tool: 'search', arguments: { text: 'printer' }, sessionId: '01jd2x3y4z5a6b7c8d9e0f1g2h' }],
});
