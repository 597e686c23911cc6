import { Body, Controller, Get, HttpCode, Inject, Post, Query } from '@nestjs/common';
import { type Principal, pushContracts as push, SCOPES } from '@plexus/contracts';
import { z } from 'zod';
import { Caller, requireScope } from './caller.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { defined, queryNumber, readInput } from './read-input.js';

const InboxQuery = z.object({ after: queryNumber(0, Number.MAX_SAFE_INTEGER).optional(), limit: queryNumber(1, 200).optional() });
const Marks = z
  .object({
    ids: z.array(z.string().min(1).max(128)).max(500).optional(),
    upTo: z.number().int().min(0).optional(),
    state: z.enum(['seen', 'read', 'done']),
  })
  .refine(({ ids = [], upTo }) => ids.length > 0 || upTo !== undefined, { error: 'needs ids or upTo' });

@Controller('v1')
export class InboxController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  /** Newest first; with `after` what came behind that offset, oldest first. */
  @Get('inbox')
  inbox(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(push.fetchInbox, principal.tenant, defined(readInput(InboxQuery, query)), { principal });
  }

  @Post('inbox/marks')
  @HttpCode(200)
  mark(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(push.markInbox, principal.tenant, defined(readInput(Marks, body)), { principal });
  }
}
