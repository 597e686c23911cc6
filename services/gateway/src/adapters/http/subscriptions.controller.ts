import { Readable } from 'node:stream';
import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Post, Query } from '@nestjs/common';
import {
  importSubscriptionPages,
  plexusError,
  type Principal,
  pushContracts as push,
  SCOPES,
  type SubscriptionLine,
  subscriptionLine,
  subscriptionPages,
} from '@plexus/contracts';
import { z } from 'zod';
import { Caller, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { NDJSON } from './memory-archive.controller.js';
import { defined, queryNumber, readInput } from './read-input.js';
import { textLines } from './text-lines.js';

/** More than any row takes. */
const MAX_LINE = 262_144;
const MAX_ROWS = 500;

const ListQuery = z.object({
  scopeKind: push.SubscriptionScope.optional(),
  scopeRef: z.string().max(256).optional(),
  limit: queryNumber(1, 500).optional(),
  cursor: z.string().min(1).max(256).optional(),
});
const ImportQuery = z.object({
  check: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional(),
});
const Rows = z.object({ rows: z.array(z.unknown()).max(MAX_ROWS) });

/** What is followed: one's own, and with operator.admin that of many users at once. */
@Controller('v1/subscriptions')
export class SubscriptionsController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  @Get()
  @Describe({ rpc: push.listSubscriptions, scope: SCOPES.read, query: ListQuery })
  list(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(push.listSubscriptions, principal.tenant, defined(readInput(ListQuery, query)), { principal });
  }

  @Get(':id')
  @Describe({ rpc: push.getSubscription, scope: SCOPES.read })
  get(@Param('id') id: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(push.getSubscription, principal.tenant, readInput(push.getSubscription.data, { id }), { principal });
  }

  @Post()
  @Describe({ rpc: push.subscribe, scope: SCOPES.write, body: push.subscribe.data })
  @HttpCode(200)
  subscribe(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    return this.services.mesh.call(push.subscribe, principal.tenant, defined(readInput(push.subscribe.data, body)), { principal });
  }

  /** Rows of many users: lines of JSON (any number), or `{rows}` (up to 500). A page of 500 rows is taken as a whole or not at all. */
  @Post('import')
  @Describe({ rpc: push.importSubscriptions, scope: SCOPES.admin, query: ImportQuery, body: Rows, bodyTypes: [NDJSON], idempotency: 'none' })
  @HttpCode(200)
  async import(@Body() body: unknown, @Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    const { check = false } = readInput(ImportQuery, query);
    const pages = subscriptionPages(rowsOf(body));
    return importSubscriptionPages(pages, check, (data) => this.services.mesh.call(push.importSubscriptions, principal.tenant, data, { principal }));
  }

  @Patch(':id')
  @Describe({ rpc: push.updateSubscription, scope: SCOPES.write, body: push.updateSubscription.data.omit({ id: true }) })
  update(@Param('id') id: string, @Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    const patch = readInput(push.updateSubscription.data, { ...readInput(z.record(z.string(), z.unknown()), body), id });
    return this.services.mesh.call(push.updateSubscription, principal.tenant, defined(patch), { principal });
  }

  @Delete(':id')
  @Describe({ rpc: push.unsubscribe, scope: SCOPES.write })
  unsubscribe(@Param('id') id: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    return this.services.mesh.call(push.unsubscribe, principal.tenant, readInput(push.unsubscribe.data, { id }), { principal });
  }
}

async function* rowsOf(body: unknown): AsyncGenerator<SubscriptionLine> {
  if (!(body instanceof Readable)) {
    const { rows } = readInput(Rows, body);
    for (const [place, value] of rows.entries()) yield { line: place + 1, value };
    if (rows.length === 0) throw plexusError('INVALID_REQUEST', { message: 'Send {"rows": […]}, or lines of JSON as application/x-ndjson.' });
    return;
  }
  let line = 0;
  for await (const text of textLines(body, MAX_LINE)) {
    line += 1;
    if (text.trim() !== '') yield subscriptionLine(text, line);
  }
}
