import { z } from 'zod';
import { SecretRef } from '../secrets/secret-ref.js';
import { AgentId, ID_PATTERN, Text } from './names.js';

const hasReference = /\$\{[A-Z_][A-Z0-9_]*\}/;
const isAddress = (text: string): boolean => hasReference.test(text) || (/^https?:\/\//i.test(text) && URL.canParse(text));

export const McpServerId = z.string().regex(ID_PATTERN, { error: 'the id of an MCP server must be [a-z0-9][a-z0-9_-]{0,63}' });

/** A text in which `${NAME}` stands for a variable, or a reference to a secret as a whole. */
const Value = z.union([z.string().max(32_768), SecretRef]);
export type McpValue = z.infer<typeof Value>;

/** One server: a program that runs in the VM of the agent (`command`), or a remote one that the scheduler talks to (`url`). */
export const McpServerConfig = z
  .strictObject({
    enabled: z.boolean().optional().meta({ description: 'False: it is not used.', default: true }),
    command: Text(4_096).optional().describe('Program that is run in the VM and speaks MCP over stdin and stdout.'),
    args: z.array(z.string().max(32_768)).max(256).optional().describe('Its arguments. Not for secrets: everybody on a machine can read them.'),
    env: z
      .record(
        z
          .string()
          .max(128)
          .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: 'must be a variable name' }),
        Value,
      )
      .optional()
      .describe('Its variables; with PATH and HOME all that it sees. What holds a reference reaches the VM sealed.'),
    url: z
      .string()
      .max(2_048)
      .refine(isAddress, { error: 'must be an http(s) address, or hold a reference' })
      .optional()
      .describe('Address of a remote server (Streamable HTTP).'),
    headers: z
      .record(
        z
          .string()
          .max(128)
          .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, { error: 'must be a header name' }),
        Value,
      )
      .optional()
      .describe('Headers that the remote server is asked with, such as `Authorization: Bearer ${NAME}`. Resolved in the scheduler; no VM sees them.'),
    agents: z.array(AgentId).max(1_000).optional().describe('Agents that may use it. Absent: all; empty: none.'),
    timeoutMs: z.number().int().min(100).max(55_000).optional().meta({ description: 'Longest call.', default: 30_000 }),
    startTimeoutMs: z.number().int().min(100).max(120_000).optional().meta({ description: 'Longest start of a program.', default: 20_000 }),
  })
  .superRefine((server, context) => {
    if ((server.command === undefined) === (server.url === undefined))
      context.addIssue({ code: 'custom', params: { code: 'one_of' }, message: 'needs either command or url' });
    const misplaced = server.url === undefined ? (['headers'] as const) : (['args', 'env', 'startTimeoutMs'] as const);
    for (const key of misplaced) {
      if (server[key] !== undefined)
        context.addIssue({
          code: 'custom',
          params: { code: 'misplaced' },
          path: [key],
          message: `does nothing with ${server.url === undefined ? 'command' : 'url'}`,
        });
    }
  });
export type McpServerConfig = z.infer<typeof McpServerConfig>;

export const McpConfig = z.strictObject({
  servers: z.record(McpServerId, McpServerConfig).optional().describe('MCP servers by id. Their tools are `<id>__<tool>` in allow and deny lists.'),
});
export type McpConfig = z.infer<typeof McpConfig>;

/** True when a value is plain text without any reference. */
export function isPlainValue(value: McpValue): value is string {
  return typeof value === 'string' && !hasReference.test(value);
}
