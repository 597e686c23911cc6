import { Controller, Get, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';

/** What anybody may know. Details are on the internal listener. */
@Controller()
export class PublicHealthController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  @Get(['healthz', 'livez'])
  live(): unknown {
    return { ok: true, status: 'live' };
  }

  @Get('readyz')
  ready(@Res({ passthrough: true }) reply: FastifyReply): unknown {
    const { ready, failing } = this.services.health();
    void reply.status(ready ? 200 : 503);
    return { ready, failing, uptimeMs: this.services.now() - this.services.startedAt };
  }
}
