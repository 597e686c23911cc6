import { Body, Controller, Get, Headers, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { METHODS } from '@plexus/client-protocol';
import { plexusError, type Principal, routingContracts as routing, SCOPES } from '@plexus/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { followSession } from '../../application/follow-session.js';
import { readAttachment } from '../../application/store-attachments.js';
import { servedType } from '../../domain/attachments.js';
import type { Credential } from '../../domain/caller.js';
import { Caller, CallerCredential, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { defined, idempotencyKeyOf, queryNumber, readInput } from './read-input.js';

const Key = z.string().trim().min(1).max(512);
const ListQuery = z.object({
  limit: queryNumber(1, 500).optional(),
  offset: queryNumber(0, 1_000_000_000).optional(),
  search: z.string().max(256).optional(),
  agentId: z.string().max(64).optional(),
  shared: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .optional(),
});
const Owner = z.string().min(1).max(256);
const StreamQuery = z.object({ last_event_id: z.string().max(16).optional(), owner: Owner.optional() });
const HistoryQuery = z.object({ owner: Owner.optional(), limit: queryNumber(1, 1_000).optional(), before: queryNumber(1, Number.MAX_SAFE_INTEGER).optional() });
const { message, label } = METHODS['chat.inject'].params.shape;
const InjectBody = z.object({ message, label, idempotencyKey: METHODS['chat.send'].params.shape.idempotencyKey.optional() });
const AbortBody = z.object({ runId: z.string().min(1).max(256).optional(), reason: z.string().max(200).optional() });
const ResetBody = z.object({ reason: z.enum(['new', 'reset']).optional() });
const AttachmentQuery = z.object({ owner: Owner.optional() });
const AttachmentId = routing.readAttachment.data.shape.attachmentId;
const EventId = z
  .string()
  .regex(/^[1-9][0-9]{0,15}$/, { error: 'must be an event id of this stream' })
  .transform(Number);

@Controller('v1/sessions')
export class SessionsController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  @Get()
  @Describe({ rpc: routing.listSessions, scope: SCOPES.read, query: ListQuery })
  list(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(routing.listSessions, principal.tenant, defined(readInput(ListQuery, query)), { principal });
  }

  @Get(':key/history')
  @Describe({ rpc: routing.getHistory, scope: SCOPES.read, query: HistoryQuery })
  history(@Param('key') key: string, @Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    const input = defined({ ...readInput(HistoryQuery, query), sessionKey: readInput(Key, key) });
    return this.services.mesh.call(routing.getHistory, principal.tenant, input, { principal });
  }

  /** The bytes as they were sent. Never shown as a page of ours: whoever wrote them is not trusted by those who look. */
  @Get(':key/attachments/:attachmentId')
  @Describe({
    summary: 'A file that a message of the session brought along.',
    scope: SCOPES.read,
    query: AttachmentQuery,
    response: 'application/octet-stream',
  })
  async attachment(
    @Param('key') key: string,
    @Param('attachmentId') id: string,
    @Query() query: unknown,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Buffer> {
    requireScope(principal, SCOPES.read);
    const wanted = defined({ ...readInput(AttachmentQuery, query), sessionKey: readInput(Key, key), attachmentId: readInput(AttachmentId, id) });
    const { attachment, content } = await readAttachment(wanted, (data) =>
      this.services.mesh.call(routing.readAttachment, principal.tenant, data, { principal }),
    );
    void reply
      .type(servedType(attachment.mimeType))
      .header('content-disposition', `attachment; filename*=UTF-8''${encodeURIComponent(attachment.name).replaceAll("'", '%27')}`)
      .header('x-content-type-options', 'nosniff')
      .header('cache-control', 'private, max-age=3600');
    return content;
  }

  @Post(':key/inject')
  @Describe({ rpc: routing.injectMessage, scope: SCOPES.admin, body: InjectBody, idempotency: 'owner' })
  @HttpCode(200)
  inject(
    @Param('key') key: string,
    @Body() body: unknown,
    @Headers() headers: Record<string, string | undefined>,
    @Caller() principal: Principal,
  ): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    const { idempotencyKey = idempotencyKeyOf(headers), ...rest } = readInput(InjectBody, body);
    const input = defined({ ...rest, idempotencyKey, sessionKey: readInput(Key, key) });
    return this.services.mesh.call(routing.injectMessage, principal.tenant, input, { principal });
  }

  @Post(':key/abort')
  @Describe({ rpc: routing.cancelRun, scope: SCOPES.write, body: AbortBody })
  @HttpCode(200)
  abort(@Param('key') key: string, @Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    const input = defined({ ...readInput(AbortBody, body), sessionKey: readInput(Key, key) });
    return this.services.mesh.call(routing.cancelRun, principal.tenant, input, { principal });
  }

  @Post(':key/reset')
  @Describe({ rpc: routing.resetSession, scope: SCOPES.admin, body: ResetBody })
  @HttpCode(200)
  reset(@Param('key') key: string, @Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    const input = defined({ ...readInput(ResetBody, body), sessionKey: readInput(Key, key) });
    return this.services.mesh.call(routing.resetSession, principal.tenant, input, { principal });
  }

  /** Server-sent events of a session: what came behind `Last-Event-ID`, then what comes. Ends when the client goes or its credential does. */
  @Get(':key/stream')
  @Describe({
    summary: 'Server-sent events of a session: what came behind Last-Event-ID, then what comes.',
    scope: SCOPES.read,
    query: StreamQuery,
    response: 'text/event-stream',
  })
  async stream(
    @Param('key') key: string,
    @Query('last_event_id') lastInQuery: unknown,
    @Query('owner') ownerInQuery: unknown,
    @Caller() principal: Principal,
    @CallerCredential() credential: Credential,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    requireScope(principal, SCOPES.read);
    const sessionKey = readInput(Key, key);
    // Of a session that is shared with the caller; routing says whether it is.
    const owner = ownerInQuery === undefined ? undefined : readInput(Owner, ownerInQuery);
    const asked = request.headers['last-event-id'] ?? lastInQuery;
    const lastEventId = asked === undefined || asked === '' ? undefined : readInput(EventId, asked);
    if (!this.services.health().ready) throw plexusError('UNAVAILABLE');

    const { mesh, sessions: feed, archive, epochOf, streams, authenticator, watchers, watchedRuns } = this.services;
    const stream = streams.prepare(reply.raw, credential);
    const following = await followSession({ mesh, feed, archive, epochOf }, principal, sessionKey, lastEventId, stream, stream.signal, owner);
    // Questions were asked and waited for since the guard looked.
    if (authenticator.isWithdrawn(credential)) {
      following.stop();
      throw plexusError('UNAUTHENTICATED', { message: 'the bearer token was revoked' });
    }
    const { tenant, user = '' } = principal;
    const session = { owner: owner ?? user, sessionKey: following.sessionKey };
    const stopWatching = watchers.addStream({ tenant, user, ...session });
    reply.hijack();
    streams.start(stream, (byUs) => {
      following.stop();
      stopWatching();
      if (!byUs) watchedRuns.left({ tenant, user, kind: 'stream', session });
    });
  }
}
