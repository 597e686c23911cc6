import { Body, Controller, Get, HttpCode, Inject, Post } from '@nestjs/common';
import { type Principal, routingContracts as routing, SCOPES } from '@plexus/contracts';
import { Caller, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { readInput } from './read-input.js';

const Question = routing.explainRoute.data;

/** Where a message would go. */
@Controller('v1')
export class RoutesController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  @Get('agents')
  @Describe({ rpc: routing.listAgents, scope: SCOPES.read })
  agents(@Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(routing.listAgents, principal.tenant, {}, { principal });
  }

  /** A question: nothing is sent, and no session is made. */
  @Post('routes/explain')
  @Describe({ rpc: routing.explainRoute, scope: SCOPES.read, body: Question, idempotency: 'none' })
  @HttpCode(200)
  explain(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(routing.explainRoute, principal.tenant, readInput(Question, body), { principal });
  }
}
