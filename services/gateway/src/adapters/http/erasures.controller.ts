import { Body, Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { plexusError, type Principal, routingContracts as routing, SCOPES } from '@plexus/contracts';
import { z } from 'zod';
import { Caller, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { readInput } from './read-input.js';

const EraseBody = routing.eraseUser.data.extend({ confirm: z.string().describe('The same user once more: there is no way back.') });

/** Forgetting people: every service erases what it keeps of one, and answers with a receipt. */
@Controller('v1/erasures')
export class ErasuresController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  @Post()
  @Describe({ rpc: routing.eraseUser, scope: SCOPES.admin, body: EraseBody })
  @HttpCode(202)
  erase(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    const { user, confirm } = readInput(EraseBody, body);
    if (confirm !== user)
      throw plexusError('INVALID_REQUEST', { message: 'confirm must be the user who is to be erased', details: { issues: [{ path: '/confirm' }] } });
    return this.services.mesh.call(routing.eraseUser, principal.tenant, { user }, { principal });
  }

  @Get(':erasureId')
  @Describe({ rpc: routing.getErasure, scope: SCOPES.admin })
  get(@Param('erasureId') erasureId: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(routing.getErasure, principal.tenant, readInput(routing.getErasure.data, { erasureId }), { principal });
  }
}
