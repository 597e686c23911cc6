import { Body, Controller, Get, HttpCode, Inject, Post, Query } from '@nestjs/common';
import { type Principal, SCOPES, vmContracts as vm } from '@plexus/contracts';
import { z } from 'zod';
import { Caller, requireScope } from './caller.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { defined, queryNumber, readInput } from './read-input.js';

const ListQuery = z.object({
  includeTerminated: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .optional(),
  limit: queryNumber(1, 500).optional(),
});
const EnsureBody = z.object({
  scope: z
    .string()
    .regex(/^(user|shared|agent:.+|session:.+)$/, { error: 'must be user, shared, agent:<id> or session:<id>' })
    .optional(),
  wait: z.enum(['none', 'ready']).optional(),
  waitMs: z.number().int().min(0).max(60_000).optional(),
});

@Controller('v1/vms')
export class VmsController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  @Get()
  list(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(vm.listVms, principal.tenant, defined(readInput(ListQuery, query)), { principal });
  }

  @Post('ensure')
  @HttpCode(200)
  ensure(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    return this.services.mesh.call(vm.ensureVm, principal.tenant, defined(readInput(EnsureBody, body)), { principal });
  }
}
