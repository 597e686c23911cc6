import { Body, Controller, Get, HttpCode, Inject, Post, Query } from '@nestjs/common';
import { type Principal, pushPolicyContracts as push, SCOPES } from '@plexus/contracts';
import { z } from 'zod';
import { Caller, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { defined, readInput } from './read-input.js';

const Instant = z.iso.datetime({ offset: true });
const ExplainQuery = z.object({
  event: z.string().min(1).max(512),
  source: z.string().max(512).optional(),
  origin: z.string().max(64).optional(),
  user: z.string().min(1).max(256).optional(),
  near: Instant.optional(),
});
const StatsQuery = z.object({
  user: z.string().min(1).max(256).optional(),
  everybody: z
    .enum(['true', 'false', '1', '0'])
    .transform((text) => text === 'true' || text === '1')
    .optional(),
  from: Instant.optional(),
  to: Instant.optional(),
});

/** Why something was or was not sent, what it adds up to, and what people think of it. */
@Controller('v1')
export class PushInsightController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  @Get('push/explain')
  @Describe({ rpc: push.explain, scope: SCOPES.read, query: ExplainQuery })
  explain(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    const { event: id, source, origin, user, near } = readInput(ExplainQuery, query);
    const question = defined({ event: defined({ id, source, origin }), user, near });
    return this.services.mesh.call(push.explain, principal.tenant, question, { principal });
  }

  @Get('push/stats')
  @Describe({ rpc: push.pushStats, scope: SCOPES.read, query: StatsQuery })
  stats(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(push.pushStats, principal.tenant, defined(readInput(StatsQuery, query)), { principal });
  }

  @Post('feedback')
  @Describe({ rpc: push.feedback, scope: SCOPES.read, body: push.feedback.data })
  @HttpCode(200)
  feedback(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(push.feedback, principal.tenant, defined(readInput(push.feedback.data, body)), { principal });
  }
}
