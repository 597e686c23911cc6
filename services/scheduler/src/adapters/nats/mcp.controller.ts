import { Controller, Inject } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, hasScope, mcpContracts, plexusError, type ReplyOf, SCOPES } from '@plexus/contracts';
import { MCP_LIST_TOOLS } from '@plexus/vm-protocol';
import { type McpCaller, RemoteMcp } from '../../application/remote-mcp.js';
import { SESSION_AGENTS, type SessionAgents } from '../../tokens.js';
import { tenantOf } from './caller.js';

const { listMcpTools, callMcpTool } = mcpContracts;

/** Remote MCP servers of the caller's tenant. */
@Controller()
export class McpController {
  constructor(
    private readonly remote: RemoteMcp,
    @Inject(SESSION_AGENTS) private readonly agents: SessionAgents,
  ) {}

  @Rpc(listMcpTools)
  async tools(@Payload() { server, sessionId }: DataOf<typeof listMcpTools>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof listMcpTools>> {
    return { tools: await this.remote.tools(await this.caller(context, SCOPES.read, sessionId), server) };
  }

  @Rpc(callMcpTool)
  async call(@Payload() data: DataOf<typeof callMcpTool>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof callMcpTool>> {
    const caller = await this.caller(context, SCOPES.write, data.sessionId);
    if (data.tool === MCP_LIST_TOOLS) return { result: { tools: await this.remote.tools(caller, data.server) } };
    return { result: await this.remote.call(caller, data.server, data.tool, data.arguments, data.timeoutMs) };
  }

  /**
   * A VM acts for the agent of one of its sessions, people for that of one of theirs: what it may use, they may. Without a session every server
   * of the tenant may be looked at, and called by operators and services alone: it is called with the tenant's credentials.
   */
  private async caller(context: RpcContext, scope: string, sessionId: string | undefined): Promise<McpCaller> {
    const tenant = tenantOf(context, scope);
    const { role, user, credentialId, scopes } = context.principal;
    const isTrusted = role === 'service' || (role !== 'vm' && hasScope(scopes, SCOPES.admin));
    const session = sessionId === undefined ? undefined : await this.agents(tenant, sessionId);
    const isTheirs = session !== undefined && (isTrusted || (session.owner === user && (role !== 'vm' || credentialId.startsWith(`${session.vmId}:`))));
    if (sessionId !== undefined && !isTheirs) throw plexusError('SESSION_NOT_FOUND');
    if (role === 'vm' && session === undefined) throw plexusError('INVALID_REQUEST', { message: 'A VM has to name the session that it asks for.' });
    if (scope !== SCOPES.read && session === undefined && !isTrusted) throw plexusError('MISSING_SCOPE', { details: { scope: SCOPES.admin } });
    return { tenant, agentId: session?.agentId, signal: context.signal };
  }
}
