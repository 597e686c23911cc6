import { Body, Controller, Headers, HttpCode, Inject, Post } from '@nestjs/common';
import { METHODS } from '@plexus/client-protocol';
import { plexusError, type Principal, routingContracts as routing, SCOPES } from '@plexus/contracts';
import { z } from 'zod';
import { withAttachments } from '../../application/store-attachments.js';
import { Caller, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { defined, idempotencyKeyOf, readInput } from './read-input.js';

const { sessionKey, idempotencyKey, message, attachments, agentId, extraSystemPrompt, queueMode, on_client_disconnect } = METHODS['chat.send'].params.shape;
const SendBody = z.object({
  sessionKey: sessionKey.optional(),
  message,
  attachments,
  idempotencyKey: idempotencyKey.optional(),
  agentId,
  extraSystemPrompt,
  queueMode,
  on_client_disconnect,
  owner: z.string().min(1).max(256).optional(),
  timeoutMs: z.number().int().min(1_000).max(3_600_000).optional(),
});

@Controller('v1/chat')
export class ChatController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  /** Accepts a message. The answer comes after it is durable; the run's events come over the session's stream. */
  @Post('send')
  @Describe({ rpc: routing.acceptMessage, scope: SCOPES.write, body: SendBody, idempotency: 'owner' })
  @HttpCode(202)
  async send(@Body() body: unknown, @Headers() headers: Record<string, string | undefined>, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    const { on_client_disconnect: onDisconnect, message: text, attachments: files, ...input } = readInput(SendBody, body);
    if (input.extraSystemPrompt !== undefined) requireScope(principal, SCOPES.admin);
    const headerKey = idempotencyKeyOf(headers);
    if (headerKey !== undefined && input.idempotencyKey !== undefined && headerKey !== input.idempotencyKey) {
      throw plexusError('INVALID_REQUEST', { message: 'Idempotency-Key and idempotencyKey differ', details: { issues: [{ path: '/idempotencyKey' }] } });
    }
    const key = input.idempotencyKey ?? headerKey;
    const content = await withAttachments(text, files, (rpc, data) => this.services.mesh.call(rpc, principal.tenant, data, { principal }));
    const accepted = await this.services.mesh.call(routing.acceptMessage, principal.tenant, defined({ ...input, ...content, idempotencyKey: key }), {
      principal,
    });
    if (accepted.status !== 'done' && onDisconnect !== 'continue') {
      const { sessionKey: canonical, runId } = accepted;
      this.services.watchedRuns.started({ principal, owner: input.owner ?? principal.user ?? '', sessionKey: canonical, runId, via: 'stream' });
    }
    return accepted;
  }
}
