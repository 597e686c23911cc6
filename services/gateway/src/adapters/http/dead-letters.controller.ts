import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { type Principal, routingContracts as routing, SCOPES } from '@plexus/contracts';
import { z } from 'zod';
import { Caller, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { defined, queryNumber, readInput } from './read-input.js';

const ListQuery = z.object({
  consumer: routing.listDeadLetters.data.shape.consumer,
  after: queryNumber(0, Number.MAX_SAFE_INTEGER).optional(),
  limit: queryNumber(1, 500).optional(),
});
const Seq = queryNumber(1, Number.MAX_SAFE_INTEGER);
const SeqsBody = routing.redriveDeadLetters.data;

/** Messages of the caller's tenant that nobody could handle, and wait for a person. */
@Controller('v1/dlq')
export class DeadLettersController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  @Get()
  @Describe({ rpc: routing.listDeadLetters, scope: SCOPES.admin, query: ListQuery })
  list(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(routing.listDeadLetters, principal.tenant, defined(readInput(ListQuery, query)), { principal });
  }

  @Get(':seq')
  @Describe({ rpc: routing.getDeadLetter, scope: SCOPES.admin })
  get(@Param('seq') seq: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(routing.getDeadLetter, principal.tenant, { seq: readInput(Seq, seq) }, { principal });
  }

  @Post('redrive')
  @Describe({ rpc: routing.redriveDeadLetters, scope: SCOPES.admin, body: SeqsBody })
  @HttpCode(200)
  redrive(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(routing.redriveDeadLetters, principal.tenant, readInput(SeqsBody, body), { principal });
  }

  @Post('drop')
  @Describe({ rpc: routing.dropDeadLetters, scope: SCOPES.admin, body: SeqsBody })
  @HttpCode(200)
  drop(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(routing.dropDeadLetters, principal.tenant, readInput(SeqsBody, body), { principal });
  }
}
