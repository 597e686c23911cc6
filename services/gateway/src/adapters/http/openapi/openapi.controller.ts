import { createHash } from 'node:crypto';
import { Controller, Get, Headers, Inject, Res, type Type } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { Describe } from '../describe.js';
import { HTTP_SERVICES, type HttpServices } from '../http-services.js';
import { openApiDocument } from './document.js';
import { routesOf } from './routes.js';

/** Injection token of the controllers that the document describes. */
export const DESCRIBED_CONTROLLERS = Symbol.for('plexus.gateway.described-controllers');

/** The description of the HTTP API, for programs. Anybody may read it: nothing in it is about anybody. */
@Controller('v1')
export class OpenApiController {
  private document: { readonly text: string; readonly etag: string } | undefined;

  constructor(
    @Inject(HTTP_SERVICES) private readonly services: HttpServices,
    @Inject(DESCRIBED_CONTROLLERS) private readonly controllers: readonly Type[],
  ) {}

  @Get('openapi.json')
  @Describe({ summary: 'This document.', response: z.record(z.string(), z.unknown()), public: true })
  get(@Headers('if-none-match') known: string | undefined, @Res() reply: FastifyReply): void {
    // Made when it is asked for the first time: most gateways are never asked.
    this.document ??= this.write();
    const { text, etag } = this.document;
    void reply.header('etag', etag).header('cache-control', 'no-cache');
    if (known === etag) void reply.status(304).send();
    else void reply.type('application/json; charset=utf-8').send(text);
  }

  private write(): { text: string; etag: string } {
    const text = JSON.stringify(openApiDocument(routesOf(this.controllers), this.services.version));
    return { text, etag: `"${createHash('sha256').update(text).digest('base64url')}"` };
  }
}
