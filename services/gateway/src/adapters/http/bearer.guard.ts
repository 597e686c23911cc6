import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { rememberCaller } from './caller.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';

/** Proves who calls by the bearer token. */
@Injectable()
export class BearerGuard implements CanActivate {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    rememberCaller(request, await this.services.bearer.prove(request));
    return true;
  }
}
