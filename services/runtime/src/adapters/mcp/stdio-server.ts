import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import type { JsonSchemaValidatorResult, jsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/types.js';
import type { Clock } from '@plexus/kernel';
import type { Log } from '../../application/ports.js';
import { loggableReason } from './loggable-reason.js';
import type { ProcessTransport } from './process-transport.js';

/** A tool as its server describes it. */
export interface McpToolDescription {
  readonly name: string;
  readonly description?: string | undefined;
  readonly inputSchema: Record<string, unknown>;
}

export interface StdioServerOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly startTimeoutMs: number;
  readonly callTimeoutMs: number;
  readonly stuckAfterMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly sessionId: string;
}

interface Running {
  readonly client: Client;
  readonly transport: ProcessTransport;
  readonly since: number;
}

/** From the end of its input to TERM, and from TERM to KILL. When the runtime itself ends both have to fit into its own four seconds. */
const GRACE_MS = 1_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 60_000;
/** After so long without an end a program counts as sound again. */
const SOUND_AFTER_MS = 60_000;
/** Of the protocol's library. */
const REQUEST_TIMEOUT = -32_001;
const MAX_PAGES = 20;
const MAX_TOOLS = 500;

function acceptAll<T>(input: unknown): JsonSchemaValidatorResult<T> {
  return { valid: true, data: input as T, errorMessage: undefined };
}

/** One MCP server as a program of one session: started when it is needed, again after a pause that grows when it ends, ended with its session. */
export class StdioServer {
  private running: Promise<Running> | undefined;
  /** Of the program that was started last, also while it does not answer yet. */
  private transport: ProcessTransport | undefined;
  /** While a program is being ended that the next call starts anew. */
  private leaving: Promise<void> | undefined;
  private calls = 0;
  private failures = 0;
  private notBefore = 0;
  private closed = false;

  constructor(private readonly options: StdioServerOptions) {}

  /** All its tools, over all pages. Rejects when it does not start or answer in time. */
  async tools(): Promise<readonly McpToolDescription[]> {
    const { client } = await this.ready();
    const tools: McpToolDescription[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < MAX_PAGES && tools.length < MAX_TOOLS; page++) {
      const answer = await client.listTools(cursor === undefined ? {} : { cursor }, { timeout: this.options.startTimeoutMs });
      tools.push(...answer.tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema: inputSchema as Record<string, unknown> })));
      cursor = answer.nextCursor;
      if (cursor === undefined) break;
    }
    return tools.slice(0, MAX_TOOLS);
  }

  /** Calls a tool; the answer is the protocol's result of `tools/call`. A server that is away is waited for as long as its pause lasts. */
  async call(tool: string, input: Record<string, unknown>, signal: AbortSignal): Promise<unknown> {
    const running = await this.ready(signal);
    const { callTimeoutMs } = this.options;
    this.calls += 1;
    try {
      return await running.client.callTool({ name: tool, arguments: input }, undefined, { signal, timeout: callTimeoutMs, maxTotalTimeout: callTimeoutMs });
    } catch (error) {
      if (signal.aborted || (error as { code?: unknown }).code === REQUEST_TIMEOUT) void this.doubt(running);
      throw error;
    } finally {
      this.calls -= 1;
    }
  }

  /**
   * The program was told that nobody waits for a call any more. One that does not even answer a ping then works on regardless: it is ended, unless
   * somebody waits for another call of it. Never rejects.
   */
  private async doubt({ client, transport }: Running): Promise<void> {
    try {
      await client.ping({ timeout: this.options.stuckAfterMs });
    } catch (error) {
      // One that refuses the ping answers; one that has ended already needs no closing.
      const isSilent = (error as { code?: unknown }).code === REQUEST_TIMEOUT;
      if (!isSilent || this.calls > 0 || transport.ending !== undefined) return;
      const { log, sessionId, name } = this.options;
      log('warn', 'MCP server ended: it did not let go of a call that was given up', { sessionId, server: name });
      this.leaving = transport.close().finally(() => {
        this.leaving = undefined;
      });
    }
  }

  /** Ends the program and whatever it started. */
  async close(): Promise<void> {
    this.closed = true;
    await this.transport?.close();
    // One that was being started has failed by that, and whoever asked for it was told.
    await this.running?.catch(() => undefined);
  }

  /** Ends the program if it runs; the next call starts it again. */
  pause(): void {
    void this.transport?.close();
  }

  private async ready(signal?: AbortSignal): Promise<Running> {
    if (this.closed) throw new Error('the session is over');
    if (this.leaving !== undefined) {
      await this.leaving;
      return this.ready(signal);
    }
    if (this.running !== undefined) return this.running;
    const pauseMs = this.notBefore - this.options.clock.now();
    if (pauseMs > 0) {
      if (signal === undefined) throw new Error(`it ended and is started again in ${Math.ceil(pauseMs / 1_000)} s`);
      await this.options.clock.sleep(pauseMs, signal);
      return this.ready(signal);
    }
    this.running = this.start();
    // Whoever waits for it hears of the failure; this only makes room for the next attempt.
    this.running.catch((error: unknown) => this.ended(`did not start: ${(error as Error).message}`, undefined));
    return this.running;
  }

  private async start(): Promise<Running> {
    const { command, args, env, cwd, startTimeoutMs, clock, name } = this.options;
    // Loaded when the first server is: a runtime without one does not pay for it.
    const { Client } = await import('@modelcontextprotocol/sdk/client/index.js');
    const { ProcessTransport } = await import('./process-transport.js');
    // The schema of a server's results is its own business: none of its patterns is compiled here.
    const jsonSchemaValidator: jsonSchemaValidator = { getValidator: () => acceptAll };
    const client = new Client({ name: 'plexus-runtime', version: '1' }, { jsonSchemaValidator });
    if (this.closed) throw new Error('the session is over');
    const transport = new ProcessTransport({ command, args, env, cwd, graceMs: GRACE_MS });
    this.transport = transport;
    client.onerror = () => undefined;
    try {
      await client.connect(transport, { timeout: startTimeoutMs });
    } catch (error) {
      await transport.close();
      // A program that ended by itself may be noticed by a broken pipe first; one that was too slow has ended because it was closed.
      const isSlow = (error as { code?: unknown }).code === REQUEST_TIMEOUT;
      throw new Error(isSlow ? 'it did not answer in time' : (transport.ending ?? loggableReason(error)), { cause: error });
    }
    const running: Running = { client, transport, since: clock.now() };
    client.onclose = () => this.ended(`ended: ${transport.ending ?? 'closed'}`, running);
    if (transport.ending !== undefined) throw new Error(transport.ending);
    this.options.log('info', 'MCP server started', { sessionId: this.options.sessionId, server: name, pid: transport.pid });
    return running;
  }

  private ended(how: string, running: Running | undefined): void {
    const { clock, log, name, sessionId } = this.options;
    this.running = undefined;
    if (this.closed) return;
    if (running !== undefined && clock.now() - running.since >= SOUND_AFTER_MS) this.failures = 0;
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.failures);
    this.failures += 1;
    this.notBefore = clock.now() + pauseMs;
    log('warn', 'MCP server is away', { sessionId, server: name, how, pauseMs });
    // Its children, if it left any.
    void running?.transport.close();
  }
}
