import { Body, Controller, HttpCode, Inject, Post, Query } from '@nestjs/common';
import { auditTarget, CloudEvent, HEADERS, plexusError, type Principal, SCOPES, SubjectError } from '@plexus/contracts';
import { z } from 'zod';
import { HTTP_SOURCE, inboundMessageId, inboundSubject, isOpenSource } from '../../domain/inbound-event.js';
import { Caller, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { readInput } from './read-input.js';

const PublishQuery = z.object({
  as: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe('Source token under which it enters. Default: that of the credential, else `http`. Another one needs operator.admin.'),
});
const Stored = z.object({ id: z.string(), source: z.string(), subject: z.string(), stream: z.string(), seq: z.number().int(), duplicate: z.boolean() });

@Controller('v1/events')
export class EventsController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  /** Takes one CloudEvent in structured JSON mode. The answer comes when the stream has stored it. */
  @Post()
  @Describe({
    summary: 'Takes one CloudEvent in structured JSON mode. The answer comes when the stream has stored it; the same source and id again are a duplicate.',
    scope: SCOPES.write,
    query: PublishQuery,
    body: CloudEvent,
    response: Stored,
    idempotency: 'none',
  })
  @HttpCode(202)
  async publish(@Body() body: unknown, @Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    const { as } = readInput(PublishQuery, query);
    const { tenant } = principal;
    const event = { type: '', id: '' };
    if (as === undefined || as === ownSource(principal) || as === HTTP_SOURCE) return this.store(body, sourceOf(principal, as), tenant, event);
    // In the name of a source that the credential does not prove: an administrator answers for that.
    let refusal: unknown;
    try {
      return await this.store(body, sourceOf(principal, as), tenant, event);
    } catch (error) {
      refusal = error;
      throw error;
    } finally {
      await this.services.audit({ action: 'events.publish-as', tenant, principal, target: auditTarget({ as, ...event }, ['as', 'type', 'id']), refusal });
    }
  }

  /** Stores it; notes in `known` what it is about as soon as that can be read. */
  private async store(body: unknown, source: string, tenant: string, known: { type: string; id: string }): Promise<unknown> {
    const parsed = CloudEvent.safeParse(body ?? {});
    if (!parsed.success) {
      const issues = parsed.error.issues.slice(0, 20).map(({ path, code, message }) => ({ path: `/${path.map(String).join('/')}`, code, message }));
      throw plexusError('INVALID_EVENT', { message: issues.map(({ path, message }) => `${path}: ${message}`).join('; '), details: { issues } });
    }
    const event = { time: new Date(this.services.now()).toISOString(), ...parsed.data };
    Object.assign(known, { type: event.type, id: event.id });
    if (event.tenantid !== undefined && event.tenantid !== tenant) throw plexusError('TENANT_MISMATCH');
    const subject = subjectOf(tenant, source, event);
    const msgId = inboundMessageId(tenant, source, event);
    const bytes = Buffer.from(JSON.stringify(event));
    const { stream, seq, duplicate } = await this.services.bus.publishRaw(subject, bytes, { msgId, headers: { [HEADERS.messageId]: msgId } });
    return { id: event.id, source: event.source, subject, stream, seq, duplicate };
  }
}

const ownSource = ({ source }: Principal): string => (source !== undefined && isOpenSource(source) ? source : HTTP_SOURCE);

/** Under which source token a caller's events enter. Throws MISSING_SCOPE for one that the credential does not prove, INVALID_REQUEST for one that nobody may take. */
function sourceOf(principal: Principal, asked: string | undefined): string {
  const own = ownSource(principal);
  const source = asked ?? own;
  if (source !== own && source !== HTTP_SOURCE) requireScope(principal, SCOPES.admin);
  if (isOpenSource(source)) return source;
  throw plexusError('INVALID_REQUEST', {
    message: `events cannot enter under the source ${JSON.stringify(source)}: it must be [a-z0-9][a-z0-9_-]{0,63}, and those of channels and of push are theirs`,
    details: { issues: [{ path: 'as' }] },
  });
}

function subjectOf(tenant: string, source: string, event: { readonly type: string; readonly subject?: string | undefined; readonly id: string }): string {
  try {
    return inboundSubject(tenant, source, { type: event.type, id: event.id, ...(event.subject === undefined ? {} : { subject: event.subject }) });
  } catch (cause) {
    if (!(cause instanceof SubjectError)) throw cause;
    throw plexusError('INVALID_EVENT', { message: 'the subject of the event is too long to be a key', details: { issues: [{ path: '/subject' }] }, cause });
  }
}
