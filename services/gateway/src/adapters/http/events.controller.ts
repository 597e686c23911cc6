import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { CloudEvent, HEADERS, plexusError, type Principal, SCOPES, SubjectError } from '@plexus/contracts';
import { z } from 'zod';
import { inboundMessageId, inboundSubject } from '../../domain/inbound-event.js';
import { Caller, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';

const Stored = z.object({ id: z.string(), source: z.string(), subject: z.string(), stream: z.string(), seq: z.number().int(), duplicate: z.boolean() });

@Controller('v1/events')
export class EventsController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  /** Takes one CloudEvent in structured JSON mode. The answer comes when the stream has stored it. */
  @Post()
  @Describe({
    summary: 'Takes one CloudEvent in structured JSON mode. The answer comes when the stream has stored it; the same source and id again are a duplicate.',
    scope: SCOPES.write,
    body: CloudEvent,
    response: Stored,
    idempotency: 'none',
  })
  @HttpCode(202)
  async publish(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    const parsed = CloudEvent.safeParse(body ?? {});
    if (!parsed.success) {
      const issues = parsed.error.issues.slice(0, 20).map(({ path, code, message }) => ({ path: `/${path.map(String).join('/')}`, code, message }));
      throw plexusError('INVALID_EVENT', { message: issues.map(({ path, message }) => `${path}: ${message}`).join('; '), details: { issues } });
    }
    const { tenant } = principal;
    const event = { time: new Date(this.services.now()).toISOString(), ...parsed.data };
    if (event.tenantid !== undefined && event.tenantid !== tenant) throw plexusError('TENANT_MISMATCH');
    const subject = subjectOf(tenant, event);
    const msgId = inboundMessageId(tenant, event);
    const bytes = Buffer.from(JSON.stringify(event));
    const { stream, seq, duplicate } = await this.services.bus.publishRaw(subject, bytes, { msgId, headers: { [HEADERS.messageId]: msgId } });
    return { id: event.id, source: event.source, subject, stream, seq, duplicate };
  }
}

function subjectOf(tenant: string, event: { readonly type: string; readonly subject?: string | undefined; readonly id: string }): string {
  try {
    return inboundSubject(tenant, { type: event.type, id: event.id, ...(event.subject === undefined ? {} : { subject: event.subject }) });
  } catch (cause) {
    if (!(cause instanceof SubjectError)) throw cause;
    throw plexusError('INVALID_EVENT', { message: 'the subject of the event is too long to be a key', details: { issues: [{ path: '/subject' }] }, cause });
  }
}
