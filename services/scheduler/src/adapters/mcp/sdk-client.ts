import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import type { JsonSchemaValidatorResult, jsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/types.js';
import { type ErrorCode, type mcpContracts, plexusError } from '@plexus/contracts';
import type { CallLimits, RemoteMcpAddress, RemoteMcpClient } from '../../application/remote-mcp.js';
import { AnswerTooLargeError, type GuardedFetch, guardedFetch, PrivateAddressError } from '@plexus/service-kit';
import { secretsIn, withoutSecrets } from './without-secrets.js';

export interface SdkClientOptions {
  readonly allowPrivate: boolean;
  readonly maxResultBytes: number;
  readonly maxSockets: number;
}

const MAX_PAGES = 20;
const MAX_TOOLS = 500;
const REQUEST_TIMEOUT = -32_001;
const CONNECTION_CLOSED = -32_000;

/** Opens connections with the SDK, which is loaded with the first of them. */
export function sdkConnector(options: SdkClientOptions): (address: RemoteMcpAddress, limits: CallLimits) => Promise<RemoteMcpClient> {
  return async (address, limits) => {
    const { Client } = await import('@modelcontextprotocol/sdk/client/index.js');
    const { StreamableHTTPClientTransport } = await import('@modelcontextprotocol/sdk/client/streamableHttp.js');
    const jsonSchemaValidator: jsonSchemaValidator = { getValidator: () => acceptAll };
    const client = new Client({ name: 'plexus', version: '1' }, { jsonSchemaValidator });
    client.onerror = () => undefined;
    const state = { tooLarge: false };
    const onTooLarge = (): void => {
      state.tooLarge = true;
      void client.close();
    };
    const guarded = guardedFetch({ allowPrivate: options.allowPrivate, maxAnswerBytes: options.maxResultBytes, maxSockets: options.maxSockets, onTooLarge });
    const connection = new SdkClient(client, guarded, secretsIn(address), state);
    const opened = connection.guard(limits, async () => {
      const transport = new StreamableHTTPClientTransport(addressOf(address.url), {
        // The stream of notifications, which servers need not have, would hold a socket for each tenant.
        fetch: async (url, init) => (init?.method === undefined || init.method === 'GET' ? new Response(null, { status: 405 }) : guarded.fetch(url, init)),
        requestInit: { headers: { ...address.headers } },
        reconnectionOptions: { maxRetries: 0, initialReconnectionDelay: 1_000, maxReconnectionDelay: 1_000, reconnectionDelayGrowFactor: 1 },
      });
      await client.connect(transport as Parameters<Client['connect']>[0], { timeout: limits.timeoutMs, signal: limits.signal });
    });
    try {
      await opened;
    } catch (error) {
      // Its sockets would stay as long as the server likes.
      await connection.close();
      throw error;
    }
    return connection;
  };
}

class SdkClient implements RemoteMcpClient {
  constructor(
    private readonly client: Client,
    private readonly guarded: GuardedFetch,
    private readonly secrets: readonly string[],
    private readonly state: { readonly tooLarge: boolean },
  ) {}

  async tools(limits: CallLimits): Promise<mcpContracts.McpTool[]> {
    return this.guard(limits, async (options) => {
      const tools: mcpContracts.McpTool[] = [];
      let cursor: string | undefined;
      for (let page = 0; page < MAX_PAGES && tools.length < MAX_TOOLS; page += 1) {
        const answer = await this.client.listTools(cursor === undefined ? {} : { cursor }, options);
        tools.push(
          ...answer.tools.map(({ name, description, inputSchema }) => ({
            name,
            ...(description !== undefined && { description }),
            inputSchema: { ...inputSchema },
          })),
        );
        cursor = answer.nextCursor;
        if (cursor === undefined) break;
      }
      return tools.slice(0, MAX_TOOLS);
    });
  }

  async call(tool: string, input: Record<string, unknown>, limits: CallLimits): Promise<Record<string, unknown>> {
    return this.guard(limits, async (options) => ({ ...(await this.client.callTool({ name: tool, arguments: input }, undefined, options)) }));
  }

  async close(): Promise<void> {
    await this.client.close();
    this.guarded.close();
  }

  /** Runs a request with its limits; what comes out, result or error, holds no credential of the tenant. */
  async guard<T>(limits: CallLimits, act: (options: { timeout: number; maxTotalTimeout: number; signal: AbortSignal }) => Promise<T>): Promise<T> {
    try {
      return withoutSecrets(await act({ timeout: limits.timeoutMs, maxTotalTimeout: limits.timeoutMs, signal: limits.signal }), this.secrets);
    } catch (error) {
      const { code, message } = this.state.tooLarge ? TOO_LARGE : explain(error, limits.signal);
      // No cause: what the SDK throws may quote what was sent.
      throw plexusError(code, { message: withoutSecrets(message, this.secrets) });
    }
  }
}

interface Explanation {
  readonly code: ErrorCode;
  readonly message: string;
}

const TOO_LARGE: Explanation = { code: 'PAYLOAD_TOO_LARGE', message: 'The answer of the MCP server is too large.' };

/** What callers are told; of foreign texts only what the server says in the words of the protocol. */
function explain(error: unknown, signal: AbortSignal): Explanation {
  if (signal.aborted) {
    const isTimeout = (signal.reason as { name?: unknown } | undefined)?.name === 'TimeoutError';
    return isTimeout ? { code: 'TIMEOUT', message: 'The MCP server did not answer in time.' } : { code: 'CANCELLED', message: 'The call was given up.' };
  }
  if (chain(error).some((one) => one instanceof AnswerTooLargeError)) return TOO_LARGE;
  if (chain(error).some((one) => one instanceof PrivateAddressError)) {
    return { code: 'FORBIDDEN', message: 'The address of the MCP server is a private one, and this platform does not allow those.' };
  }
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (code === REQUEST_TIMEOUT) return { code: 'TIMEOUT', message: 'The MCP server did not answer in time.' };
  if (code === 401 || code === 403) return { code: 'UNAVAILABLE', message: `The MCP server refuses the credentials of the tenant (HTTP ${code}).` };
  if (typeof code === 'number' && code >= 300 && code < 600) return { code: 'UNAVAILABLE', message: `The MCP server answered with HTTP ${code}.` };
  if (typeof code === 'number' && code !== CONNECTION_CLOSED)
    return { code: 'INVALID_REQUEST', message: `The MCP server refuses the call: ${String(message).slice(0, 500)}` };
  return { code: 'UNAVAILABLE', message: `The MCP server cannot be reached${typeof code === 'string' ? ` (${code})` : ''}.` };
}

function chain(error: unknown): unknown[] {
  const errors: unknown[] = [];
  for (let one = error; one instanceof Error && errors.length < 8; one = one.cause) errors.push(one);
  return errors;
}

function addressOf(url: string): URL {
  if (!URL.canParse(url)) throw new TypeError('the address is none');
  return new URL(url);
}

function acceptAll<T>(input: unknown): JsonSchemaValidatorResult<T> {
  return { valid: true, data: input as T, errorMessage: undefined };
}
