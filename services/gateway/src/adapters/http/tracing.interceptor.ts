import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { extractContext, SpanKind, withSpan } from '@plexus/telemetry';
import type { FastifyRequest } from 'fastify';
import { defer, lastValueFrom, type Observable } from 'rxjs';

/** One span per API request, continuing the caller's trace. Named by the route, never by the path. */
@Injectable()
export class TracingInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const route = request.routeOptions.url ?? 'unknown';
    const parent = extractContext((name) => {
      const value = request.headers[name];
      return Array.isArray(value) ? value[0] : value;
    });
    const attributes = { 'http.request.method': request.method, 'http.route': route };
    const options = { kind: SpanKind.SERVER, attributes, parent };
    return defer(() => withSpan(`${request.method} ${route}`, options, () => lastValueFrom(next.handle(), { defaultValue: undefined })));
  }
}
