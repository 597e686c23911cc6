import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { plexusError, type Principal, pushContracts as push, pushDeliveryContracts as pushDelivery, SCOPES } from '@plexus/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Credential } from '../../domain/caller.js';
import { parseCursor } from '../../domain/inbox-cursor.js';
import { Caller, CallerCredential, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { InboxStream } from './inbox-stream.js';
import { defined, queryNumber, readInput } from './read-input.js';

const StreamQuery = z.object({ last_event_id: z.string().max(128).optional() });
const listOf = <T extends string>(of: z.ZodType<T, string>, most: number) =>
  z
    .string()
    .transform((text) => text.split(',').map((one) => one.trim()))
    .pipe(z.array(of).max(most))
    .optional();
const InboxQuery = z
  .object({
    after: queryNumber(0, Number.MAX_SAFE_INTEGER).optional(),
    before: queryNumber(1, Number.MAX_SAFE_INTEGER).optional(),
    limit: queryNumber(1, 200).optional(),
    state: listOf(z.enum(['new', 'seen', 'read', 'done']), 4),
    priority: listOf(z.enum(['low', 'medium', 'high', 'critical']), 4),
    kind: listOf(z.string().min(1).max(64), 10),
  })
  .refine(({ after, before }) => after === undefined || before === undefined, { error: 'either after or before' });
const Ack = z
  .object({ deliveryId: z.string().min(1).max(128).optional(), upTo: z.number().int().min(0).optional() })
  .refine(({ deliveryId, upTo }) => deliveryId !== undefined || upTo !== undefined, { error: 'needs deliveryId or upTo' });
const DeliveryId = z.object({ deliveryId: z.string().min(1).max(128) });
const Cursor = z
  .string()
  .max(128)
  .transform((text) => parseCursor(text));
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
  @Describe({ rpc: push.fetchInbox, scope: SCOPES.read, query: InboxQuery })
  inbox(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    const { state: states, priority: priorities, kind: kinds, ...place } = readInput(InboxQuery, query);
    return this.services.mesh.call(push.fetchInbox, principal.tenant, defined({ ...place, states, priorities, kinds }), { principal });
  }

  /**
   * Server-sent events of the caller's inbox: `inbox.item` (its id is the cursor behind it) for what came behind `Last-Event-ID`, then
   * `inbox.state` with what is unread, then `inbox.item` and `inbox.changed` as they come. What cannot be replayed is a snapshot in `inbox.state`,
   * with `recovered: false`.
   */
  @Get('inbox/stream')
  @Describe({
    summary: "Server-sent events of the caller's inbox: what came behind Last-Event-ID, how things stand, then what comes.",
    scope: SCOPES.read,
    query: StreamQuery,
    response: 'text/event-stream',
  })
  async stream(
    @Query('last_event_id') lastInQuery: unknown,
    @Caller() principal: Principal,
    @CallerCredential() credential: Credential,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    requireScope(principal, SCOPES.read);
    const asked = request.headers['last-event-id'] ?? lastInQuery;
    const cursor = asked === undefined || asked === '' ? undefined : readInput(Cursor, asked);
    const { mesh, streams, inboxes, authenticator, health } = this.services;
    if (!health().ready) throw plexusError('UNAVAILABLE');
    // While it can still be said properly: whether there is an inbox to read.
    await mesh.call(push.fetchInbox, principal.tenant, { limit: 1 }, { principal });
    if (authenticator.isWithdrawn(credential)) throw plexusError('UNAUTHENTICATED', { message: 'the bearer token was revoked' });
    const stream = streams.prepare(reply.raw, credential);
    const reader = new InboxStream(stream);
    reply.hijack();
    streams.start(stream, () => inboxes.left(credential, reader));
    await reader.follow(inboxes.feedOf(credential), principal, cursor);
    // It may have gone before it was among the readers.
    if (!reader.open) inboxes.left(credential, reader);
  }

  /** Acknowledges: the item is read, its escalation and its follow-ups end. */
  @Post('inbox/acks')
  @Describe({ rpc: push.ackInbox, scope: SCOPES.read, body: Ack })
  @HttpCode(200)
  acknowledge(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(push.ackInbox, principal.tenant, defined(readInput(Ack, body)), { principal });
  }

  /** What was tried over channels outside the inbox. */
  @Get('inbox/:id/attempts')
  @Describe({ rpc: pushDelivery.listAttempts, scope: SCOPES.read })
  attempts(@Param('id') id: string, @Query() _query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(pushDelivery.listAttempts, principal.tenant, readInput(DeliveryId, { deliveryId: id }), { principal });
  }

  @Post('inbox/marks')
  @Describe({ rpc: push.markInbox, scope: SCOPES.read, body: Marks })
  @HttpCode(200)
  mark(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(push.markInbox, principal.tenant, defined(readInput(Marks, body)), { principal });
  }
}
