import { type CallHandler, type ExecutionContext, Inject, Injectable, type NestInterceptor } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { from, lastValueFrom, type Observable } from 'rxjs';
import { callerOf } from './caller.js';
import { descriptionOf } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { takesKey } from './openapi/document.js';
import { idempotencyKeyOf } from './read-input.js';

/** Sees to it that a write with an Idempotency-Key has one effect, where the service that does it does not. */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const description = descriptionOf(context.getHandler());
    if (description === undefined || description.idempotency === 'owner' || !takesKey(request.method.toLowerCase(), description)) return next.handle();
    const key = idempotencyKeyOf(request.headers);
    if (key === undefined) return next.handle();
    return from(this.once(key, description.rpc?.idempotent === true, request, http.getResponse<FastifyReply>(), next));
  }

  private async once(key: string, repeatable: boolean, request: FastifyRequest, reply: FastifyReply, next: CallHandler): Promise<unknown> {
    const { tenant, user = '' } = callerOf(request);
    const [path = ''] = request.url.split('?');
    const input = [request.query, request.headers['if-match'] ?? null, request.body ?? null];
    const write = { tenant, user, target: `${request.method} ${path}`, key, input, repeatable };
    const { answer, replayed } = await this.services.keptAnswers.once(write, () => lastValueFrom(next.handle(), { defaultValue: undefined }));
    if (replayed) void reply.header('idempotent-replayed', 'true');
    return answer;
  }
}
