import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { type Principal, type RpcContract, SCOPES, vmContracts as vm } from '@plexus/contracts';
import { z } from 'zod';
import { Caller, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { defined, queryNumber, readInput } from './read-input.js';

const ListQuery = z.object({
  includeTerminated: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .optional(),
  limit: queryNumber(1, 500).optional(),
});
const scope = z
  .string()
  .regex(/^(user|shared|agent:.+|session:.+)$/, { error: 'must be user, shared, agent:<id> or session:<id>' })
  .optional();
const template = z.string().min(1).max(128).optional();
const EnsureBody = z.object({
  scope,
  template,
  wait: z.enum(['none', 'ready']).optional(),
  waitMs: z.number().int().min(0).max(60_000).optional(),
  agentId: z.string().min(1).max(64).optional(),
  sessionId: z.string().min(1).max(256).optional(),
  allowEmptyWorkspace: z.boolean().optional(),
});
const AttachBody = z.object({ scope, template, waitMs: z.number().int().min(0).max(30_000).optional() });
const DrainBody = z.object({ cancel: z.boolean().optional() });
const LogsQuery = z.object({ tailBytes: queryNumber(1, 262_144).optional() });
const HistoryQuery = z.object({ limit: queryNumber(1, 500).optional() });
const VmId = vm.getVm.data.shape.vmId;

/** The caller's VMs. Whose they are comes from the bearer token, never from a path or body. */
@Controller('v1/vms')
export class VmsController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  @Get()
  @Describe({ rpc: vm.listVms, scope: SCOPES.read, query: ListQuery })
  list(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(vm.listVms, principal.tenant, defined(readInput(ListQuery, query)), { principal });
  }

  @Post('ensure')
  @Describe({ rpc: vm.ensureVm, scope: SCOPES.write, body: EnsureBody })
  @HttpCode(200)
  ensure(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    return this.services.mesh.call(vm.ensureVm, principal.tenant, defined(readInput(EnsureBody, body)), { principal });
  }

  /** Bring your own runtime. The answer holds secrets, once. */
  @Post('attach')
  @Describe({ rpc: vm.attachExternalVm, scope: SCOPES.write, body: AttachBody, idempotency: 'none' })
  @HttpCode(200)
  attach(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    return this.services.mesh.call(vm.attachExternalVm, principal.tenant, defined(readInput(AttachBody, body)), { principal });
  }

  @Get(':id')
  @Describe({ rpc: vm.getVm, scope: SCOPES.read })
  get(@Param('id') id: string, @Caller() principal: Principal): Promise<unknown> {
    return this.about(vm.getVm, id, principal, SCOPES.read);
  }

  @Post(':id/pause')
  @Describe({ rpc: vm.pauseVm, scope: SCOPES.write })
  @HttpCode(202)
  pause(@Param('id') id: string, @Caller() principal: Principal): Promise<unknown> {
    return this.about(vm.pauseVm, id, principal, SCOPES.write);
  }

  @Post(':id/resume')
  @Describe({ rpc: vm.resumeVm, scope: SCOPES.write })
  @HttpCode(202)
  resume(@Param('id') id: string, @Caller() principal: Principal): Promise<unknown> {
    return this.about(vm.resumeVm, id, principal, SCOPES.write);
  }

  @Post(':id/touch')
  @Describe({ rpc: vm.touchVm, scope: SCOPES.write })
  @HttpCode(200)
  touch(@Param('id') id: string, @Caller() principal: Principal): Promise<unknown> {
    return this.about(vm.touchVm, id, principal, SCOPES.write);
  }

  @Post(':id/drain')
  @Describe({ rpc: vm.drainVm, scope: SCOPES.write, body: DrainBody })
  @HttpCode(202)
  drain(@Param('id') id: string, @Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    return this.about(vm.drainVm, id, principal, SCOPES.write, readInput(DrainBody, body));
  }

  @Delete(':id')
  @Describe({ rpc: vm.terminateVm, scope: SCOPES.write })
  @HttpCode(202)
  terminate(@Param('id') id: string, @Caller() principal: Principal): Promise<unknown> {
    return this.about(vm.terminateVm, id, principal, SCOPES.write);
  }

  @Get(':id/logs')
  @Describe({ rpc: vm.vmLogs, scope: SCOPES.read, query: LogsQuery })
  logs(@Param('id') id: string, @Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    return this.about(vm.vmLogs, id, principal, SCOPES.read, readInput(LogsQuery, query));
  }

  @Get(':id/why')
  @Describe({ rpc: vm.whyVm, scope: SCOPES.read })
  why(@Param('id') id: string, @Caller() principal: Principal): Promise<unknown> {
    return this.about(vm.whyVm, id, principal, SCOPES.read);
  }

  @Get(':id/history')
  @Describe({ rpc: vm.vmHistory, scope: SCOPES.read, query: HistoryQuery })
  history(@Param('id') id: string, @Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    return this.about(vm.vmHistory, id, principal, SCOPES.read, readInput(HistoryQuery, query));
  }

  private about(rpc: RpcContract, id: string, principal: Principal, wanted: string, rest: Record<string, unknown> = {}): Promise<unknown> {
    requireScope(principal, wanted);
    return this.services.mesh.call(rpc, principal.tenant, defined({ ...rest, vmId: readInput(VmId, id) }), { principal });
  }
}
