import { isDeepStrictEqual } from 'node:util';
import { AbortedError, type Clock, parseJson } from '@plexus/kernel';
import { MCP_ENVIRONMENT_PURPOSE, MCP_LIST_TOOLS, McpServerEntry, openBox, type StartSessionData } from '@plexus/vm-protocol';
import { z } from 'zod';
import type { MeshCalls } from '../../application/mesh-calls.js';
import type { Log, Tool, ToolContext, ToolResult, ToolSource } from '../../application/ports.js';
import type { FenceStage } from '../../domain/fence.js';
import { mcpToolNames } from '../../domain/mcp-names.js';
import { mcpResultText } from '../../domain/mcp-result.js';
import { loggableReason } from './loggable-reason.js';
import { ProgramFence } from './program-fence.js';
import { type McpToolDescription, StdioServer } from './stdio-server.js';

export interface McpToolsOptions {
  readonly mesh: MeshCalls;
  /** Opens the variables that the mesh sealed for this incarnation. */
  readonly incarnation: { readonly vmId: string; readonly epoch: number; readonly bootstrapSecret: string };
  /** Folder in which the programs of a session run; exists. */
  readonly workspaceOf: (sessionId: string) => string;
  /** What every program needs to run at all: PATH and HOME. The rest is configured. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** How far this machine has to hold back while the mesh cannot be reached. */
  readonly fenceStage: () => FenceStage;
  /** After a call that was given up a program that answers nothing for so long is ended; 10 s unless set. */
  readonly stuckAfterMs?: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a server is made from, its secret variables opened; `undefined` when they cannot be. */
interface Wanted {
  readonly entry: McpServerEntry;
  readonly secrets: Readonly<Record<string, string>> | undefined;
}

/** One server of one session, whichever way it is reached. */
interface Server {
  readonly name: string;
  readonly wanted: Wanted;
  tools(): Promise<readonly McpToolDescription[]>;
  call(tool: string, input: Record<string, unknown>, signal: AbortSignal, traceparent?: string): Promise<unknown>;
  close(): Promise<void>;
  /** Ends the program, if it is one and runs; the next call starts it again. */
  pause(): void;
  /** Last list, and until when it holds. */
  known?: { readonly tools: readonly McpToolDescription[]; readonly until: number };
}

const START_TIMEOUT_MS = 20_000;
const STUCK_AFTER_MS = 10_000;
const CALL_TIMEOUT_MS = 60_000;
const LIST_HOLDS_MS = 300_000;
/** A server that is away is asked again after so long. */
const FAILURE_HOLDS_MS = 30_000;
const BASIC_VARIABLES = ['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR'];

const Variables = z.record(z.string(), z.string());
const RemoteTools = z.looseObject({
  tools: z
    .array(z.looseObject({ name: z.string().min(1).max(256), description: z.string().optional(), inputSchema: z.record(z.string(), z.unknown()) }))
    .max(1_000),
});

/** The tools of a session's MCP servers: programs of the VM, and remote ones through the mesh. */
export class McpTools implements ToolSource {
  private readonly sessions = new Map<string, Map<string, Server>>();

  private readonly fence: ProgramFence;

  constructor(private readonly options: McpToolsOptions) {
    this.fence = new ProgramFence(options.clock, options.fenceStage, () => this.pause());
  }

  async tools(data: StartSessionData): Promise<readonly Tool[]> {
    const servers = await this.serversOf(data);
    const lists = await Promise.all(servers.map(async (server) => this.toolsOf(server, await this.list(data.session_id, server))));
    return lists.flat();
  }

  /** Ends the programs of one session. */
  async endSession(sessionId: string): Promise<void> {
    const servers = [...(this.sessions.get(sessionId)?.values() ?? [])];
    this.sessions.delete(sessionId);
    await Promise.all(servers.map((server) => server.close()));
  }

  async close(): Promise<void> {
    this.fence.stop();
    await Promise.all([...this.sessions.keys()].map((sessionId) => this.endSession(sessionId)));
  }

  private pause(): void {
    for (const servers of this.sessions.values()) for (const server of servers.values()) server.pause();
  }

  /** Those that the session's settings name now. One whose settings changed is ended and made anew. */
  private async serversOf({ session_id: sessionId, mcp_servers: wanted }: StartSessionData): Promise<Server[]> {
    const entries = new Map<string, Wanted>();
    for (const candidate of wanted) {
      const parsed = McpServerEntry.safeParse(candidate);
      if (parsed.success) entries.set(parsed.data.name, this.open(sessionId, parsed.data));
      else this.options.log('warn', 'an entry of mcp_servers is none', { sessionId });
    }
    const before = this.sessions.get(sessionId) ?? new Map<string, Server>();
    const closing: Promise<void>[] = [];
    for (const [name, server] of before) {
      if (isDeepStrictEqual(entries.get(name), server.wanted)) continue;
      before.delete(name);
      closing.push(server.close());
    }
    for (const [name, one] of entries) if (!before.has(name)) before.set(name, this.make(sessionId, name, one));
    if (before.size > 0) this.sessions.set(sessionId, before);
    await Promise.all(closing);
    return [...before.values()];
  }

  private make(sessionId: string, name: string, wanted: Wanted): Server {
    const { fault, command, transport } = wanted.entry;
    if (fault !== undefined) return unusable(name, wanted, fault);
    if (transport === 'remote') return this.remote(sessionId, name, wanted);
    if (command === undefined) return unusable(name, wanted, 'it has no command');
    if (wanted.secrets === undefined) return unusable(name, wanted, 'its variables cannot be opened by this machine');
    const program = this.program(sessionId, name, command, wanted.secrets, wanted.entry);
    this.fence.watch();
    const { tools, call, close, pause } = program;
    return { name, wanted, tools: tools.bind(program), call: call.bind(program), close: close.bind(program), pause: pause.bind(program) };
  }

  private program(sessionId: string, name: string, command: string, secrets: Readonly<Record<string, string>>, entry: Wanted['entry']): StdioServer {
    const { variables, workspaceOf, clock, log } = this.options;
    const basic = Object.fromEntries(
      BASIC_VARIABLES.flatMap((variable) => {
        const value = variables[variable];
        return value === undefined ? [] : [[variable, value]];
      }),
    );
    return new StdioServer({
      name,
      command,
      args: entry.args,
      env: { ...basic, ...entry.env, ...secrets },
      cwd: workspaceOf(sessionId),
      startTimeoutMs: entry.start_timeout_ms ?? START_TIMEOUT_MS,
      callTimeoutMs: entry.timeout_ms ?? CALL_TIMEOUT_MS,
      stuckAfterMs: this.options.stuckAfterMs ?? STUCK_AFTER_MS,
      clock,
      log,
      sessionId,
    });
  }

  private remote(sessionId: string, name: string, wanted: Wanted): Server {
    const { mesh } = this.options;
    const ask = async (tool: string, input: Record<string, unknown>, signal?: AbortSignal, traceparent?: string): Promise<unknown> => {
      const options = { ...(signal && { signal }), ...(traceparent && { traceparent }) };
      const answer = await mesh.request(sessionId, 'mcp_call', { server: name, tool, arguments: input }, options);
      return (answer as { result?: unknown } | null)?.result;
    };
    return {
      name,
      wanted,
      tools: async () => RemoteTools.parse(await ask(MCP_LIST_TOOLS, {})).tools,
      call: ask,
      close: async () => undefined,
      pause: () => undefined,
    };
  }

  /** The mesh seals anew each time: only what the boxes hold tells whether a server's settings changed. */
  private open(sessionId: string, { sealed_env: boxes = [], ...entry }: McpServerEntry): Wanted {
    const { vmId, epoch, bootstrapSecret } = this.options.incarnation;
    for (const box of boxes) {
      const text = openBox(bootstrapSecret, { vmId, epoch, purpose: MCP_ENVIRONMENT_PURPOSE, name: `${sessionId}/${entry.name}` }, box);
      const opened = text === undefined ? undefined : parseJson(text, { maxBytes: 262_144 });
      const variables = opened?.ok ? Variables.safeParse(opened.value) : undefined;
      if (variables?.success) return { entry, secrets: variables.data };
    }
    return { entry, secrets: boxes.length === 0 ? {} : undefined };
  }

  /** What a server offers. While it is away: what it offered last, so that the model can call once it is back. */
  private async list(sessionId: string, server: Server): Promise<readonly McpToolDescription[]> {
    const { clock, log } = this.options;
    if (server.known !== undefined && clock.now() < server.known.until) return server.known.tools;
    try {
      server.known = { tools: await server.tools(), until: clock.now() + LIST_HOLDS_MS };
    } catch (error) {
      log('warn', 'the tools of an MCP server cannot be had', { sessionId, server: server.name, why: loggableReason(error) });
      server.known = { tools: server.known?.tools ?? [], until: clock.now() + FAILURE_HOLDS_MS };
    }
    return server.known.tools;
  }

  private toolsOf(server: Server, descriptions: readonly McpToolDescription[]): Tool[] {
    const byName = new Map(descriptions.map((description) => [description.name, description]));
    return [...mcpToolNames(server.name, [...byName.keys()])].map(([name, real]) => {
      const { description, inputSchema } = byName.get(real) as McpToolDescription;
      return { name, description: (description ?? real).slice(0, 4_096), inputSchema, run: (input, context) => this.call(server, real, input, context) };
    });
  }

  private async call(server: Server, tool: string, input: unknown, { signal, span: caller }: ToolContext): Promise<ToolResult> {
    if (typeof input !== 'object' || input === null || Array.isArray(input)) return { content: 'The arguments have to be an object.', isError: true };
    const span = caller?.child('mcp', { tool, server: server.name });
    try {
      const result = mcpResultText(await server.call(tool, input as Record<string, unknown>, signal, span?.traceparent));
      span?.end(result.isError ? 'TOOL_FAILED' : undefined);
      return result;
    } catch (error) {
      span?.end(signal.aborted ? 'ABORTED' : 'UNAVAILABLE');
      if (signal.aborted) throw new AbortedError('the call was given up', { cause: error });
      return { content: `The MCP server ${server.name} did not answer: ${reasonOf(error)}.`, isError: true };
    }
  }
}

function unusable(name: string, wanted: Wanted, why: string): Server {
  const refuse = async (): Promise<never> => {
    throw new Error(why);
  };
  return { name, wanted, tools: refuse, call: refuse, close: async () => undefined, pause: () => undefined };
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message.slice(0, 500) : 'it failed';
  return message.replace(/\.$/, '');
}
