import { type McpServerConfig, type McpValue, resolveMcpServers, type TenantConfig } from '@plexus/agent-config';
import { type mcpContracts, plexusError } from '@plexus/contracts';
import { CircuitBreaker, type Clock, PlexusError, type Result, type Timer } from '@plexus/kernel';

/** One connection to a remote server, past its handshake. Rejects with a PlexusError that holds nothing of the tenant's credentials. */
export interface RemoteMcpClient {
  tools(limits: CallLimits): Promise<mcpContracts.McpTool[]>;
  call(tool: string, input: Record<string, unknown>, limits: CallLimits): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

export interface CallLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface RemoteMcpAddress {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface RemoteMcpOptions {
  readonly configOf: (tenant: string) => TenantConfig | undefined;
  readonly resolveValues: (tenant: string, place: string, values: Readonly<Record<string, McpValue>>) => Result<Record<string, string>, string>;
  readonly connect: (address: RemoteMcpAddress, limits: CallLimits) => Promise<RemoteMcpClient>;
  readonly clock: Clock;
  readonly maxConnectionsPerTenant: number;
  readonly maxCallsPerServer: number;
  readonly idleMs: number;
}

/** Whose call it is. Without an agent every server of the tenant may be asked. */
export interface McpCaller {
  readonly tenant: string;
  readonly agentId?: string | undefined;
  readonly signal: AbortSignal;
}

interface Connection {
  readonly address: RemoteMcpAddress;
  readonly client: Promise<RemoteMcpClient>;
  calls: number;
  idle: Timer | undefined;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const FAILURES = 5;
const PAUSE_MS = 30_000;
/** What says that the server itself is in trouble. */
const TROUBLE = new Set(['UNAVAILABLE', 'TIMEOUT']);
/** The connection was cut to stop reading. */
const CUT = 'PAYLOAD_TOO_LARGE';

/** Connections to the remote MCP servers of all tenants: made when they are needed, shared, bounded, and closed when nobody calls. */
export class RemoteMcp {
  private readonly connections = new Map<string, Map<string, Connection>>();
  private readonly breakers = new Map<string, CircuitBreaker>();

  constructor(private readonly options: RemoteMcpOptions) {}

  async tools(caller: McpCaller, name: string): Promise<mcpContracts.McpTool[]> {
    return this.with(caller, name, undefined, (client, limits) => client.tools(limits));
  }

  async call(caller: McpCaller, name: string, tool: string, input: Record<string, unknown>, timeoutMs?: number): Promise<Record<string, unknown>> {
    return this.with(caller, name, timeoutMs, (client, limits) => client.call(tool, input, limits));
  }

  /** How many connections there are, for all tenants. */
  get size(): number {
    return [...this.connections.values()].reduce((sum, servers) => sum + servers.size, 0);
  }

  async close(): Promise<void> {
    const all = [...this.connections.values()].flatMap((servers) => [...servers.values()]);
    this.connections.clear();
    await Promise.all(all.map((connection) => closeQuietly(connection)));
  }

  private async with<T>(
    caller: McpCaller,
    name: string,
    timeoutMs: number | undefined,
    act: (client: RemoteMcpClient, limits: CallLimits) => Promise<T>,
  ): Promise<T> {
    const server = this.serverOf(caller, name);
    const limit = server.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const limits = { timeoutMs: Math.min(timeoutMs ?? limit, limit), signal: caller.signal };
    // What is configured wrongly is no trouble of the server.
    const address = this.addressOf(caller.tenant, name, server);
    return this.breakerOf(caller.tenant, name).run(() => this.through(caller.tenant, name, address, limits, act), isTrouble);
  }

  private async through<T>(
    tenant: string,
    name: string,
    address: RemoteMcpAddress,
    limits: CallLimits,
    act: (client: RemoteMcpClient, limits: CallLimits) => Promise<T>,
  ): Promise<T> {
    const connection = this.connectionOf(tenant, name, address, limits);
    if (connection.calls >= this.options.maxCallsPerServer)
      throw plexusError('QUEUE_FULL', { message: `The MCP server ${name} is answering ${connection.calls} calls already.` });
    connection.calls += 1;
    connection.idle?.cancel();
    try {
      return await act(await connection.client, limits);
    } catch (error) {
      // A connection in trouble, or one that was cut, is not used again: the next call makes a new one.
      if (isTrouble(error) || (PlexusError.isPlexusError(error) && error.code === CUT)) this.drop(tenant, name, connection);
      throw error;
    } finally {
      connection.calls -= 1;
      if (connection.calls === 0) this.rest(tenant, name, connection);
    }
  }

  private serverOf({ tenant, agentId }: McpCaller, name: string): McpServerConfig & { readonly url: string } {
    const config = this.options.configOf(tenant);
    const all = config?.mcp?.servers ?? {};
    const server = Object.hasOwn(all, name) ? all[name] : undefined;
    if (config === undefined || server?.url === undefined || server.enabled === false)
      throw plexusError('NOT_FOUND', { message: `No remote MCP server ${name} is configured.` });
    if (agentId !== undefined && !resolveMcpServers(config, agentId).some(([id]) => id === name)) {
      throw plexusError('FORBIDDEN', { message: `The agent ${agentId} may not use the MCP server ${name}.` });
    }
    return { ...server, url: server.url };
  }

  private addressOf(tenant: string, name: string, server: McpServerConfig & { readonly url?: string | undefined }): RemoteMcpAddress {
    const place = `mcp.servers.${name}`;
    const url = this.options.resolveValues(tenant, place, { url: server.url ?? '' });
    if (!url.ok) throw plexusError('UNAVAILABLE', { message: `The MCP server ${name} cannot be asked: ${url.error}.` });
    const headers = this.options.resolveValues(tenant, `${place}.headers`, server.headers ?? {});
    if (!headers.ok) throw plexusError('UNAVAILABLE', { message: `The MCP server ${name} cannot be asked: ${headers.error}.` });
    return { url: url.value.url as string, headers: headers.value };
  }

  private connectionOf(tenant: string, name: string, address: RemoteMcpAddress, limits: CallLimits): Connection {
    const servers = this.connections.get(tenant) ?? new Map<string, Connection>();
    const before = servers.get(name);
    if (before !== undefined && isSame(before.address, address)) return before;
    // Its address or a credential changed: what runs there may end, new calls go to the new one.
    if (before !== undefined) this.drop(tenant, name, before);
    if (servers.size >= this.options.maxConnectionsPerTenant && !this.makeRoom(tenant, servers)) {
      throw plexusError('QUEUE_FULL', { message: `The tenant is talking to ${servers.size} MCP servers already.` });
    }
    // Not the caller's signal: others may be waiting for the same connection.
    const client = this.options.connect(address, { timeoutMs: limits.timeoutMs, signal: AbortSignal.timeout(limits.timeoutMs) });
    const connection: Connection = { address, client, calls: 0, idle: undefined };
    client.catch(() => this.drop(tenant, name, connection));
    servers.set(name, connection);
    this.connections.set(tenant, servers);
    return connection;
  }

  /** Closes one that nobody uses right now. */
  private makeRoom(tenant: string, servers: ReadonlyMap<string, Connection>): boolean {
    const idle = [...servers].find(([, { calls }]) => calls === 0);
    if (idle !== undefined) this.drop(tenant, ...idle);
    return idle !== undefined;
  }

  private drop(tenant: string, name: string, connection: Connection): void {
    connection.idle?.cancel();
    const servers = this.connections.get(tenant);
    if (servers?.get(name) === connection) servers.delete(name);
    if (servers?.size === 0) this.connections.delete(tenant);
    // Calls that are going on through it may end; the last of them closes it.
    if (connection.calls === 0) void closeQuietly(connection);
  }

  /** Nobody calls through it right now. */
  private rest(tenant: string, name: string, connection: Connection): void {
    const isKept = this.connections.get(tenant)?.get(name) === connection;
    if (!isKept) void closeQuietly(connection);
    else connection.idle = this.options.clock.setTimeout(() => this.drop(tenant, name, connection), this.options.idleMs).unref();
  }

  private breakerOf(tenant: string, name: string): CircuitBreaker {
    const key = `${tenant}/${name}`;
    const breaker = this.breakers.get(key) ?? new CircuitBreaker({ threshold: FAILURES, resetMs: PAUSE_MS, clock: this.options.clock });
    this.breakers.set(key, breaker);
    return breaker;
  }
}

function isTrouble(error: unknown): boolean {
  return !PlexusError.isPlexusError(error) || TROUBLE.has(error.code);
}

function isSame(a: RemoteMcpAddress, b: RemoteMcpAddress): boolean {
  return a.url === b.url && JSON.stringify(Object.entries(a.headers).sort()) === JSON.stringify(Object.entries(b.headers).sort());
}

async function closeQuietly(connection: Connection): Promise<void> {
  // One that was never made has nothing to close; whoever wanted it was told why.
  const client = await connection.client.catch(() => undefined);
  await client?.close();
}
