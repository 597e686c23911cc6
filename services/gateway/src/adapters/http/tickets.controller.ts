import { Body, Controller, Headers, HttpCode, Inject, Post } from '@nestjs/common';
import { z } from 'zod';
import type { Credential } from '../../domain/caller.js';
import { CallerCredential } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { readInput } from './read-input.js';

const TicketRequest = z
  .object({ origin: z.url().max(512).optional().describe('The page that may use the ticket; default: the one that asks.') })
  .optional()
  .default({});

const Ticket = z.object({ ticket: z.string(), expiresAt: z.iso.datetime() });

@Controller('v1')
export class TicketsController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  /** A one-time ticket for a client socket: sent as `auth.token` in its connect. */
  @Post('ws-tickets')
  @Describe({
    summary: 'A one-time ticket for a client socket: sent as auth.token in its connect.',
    body: TicketRequest,
    response: Ticket,
    idempotency: 'none',
  })
  @HttpCode(201)
  async issue(@Body() body: unknown, @Headers('origin') origin: string | undefined, @CallerCredential() credential: Credential): Promise<unknown> {
    const input = readInput(TicketRequest, body ?? {});
    const { ticket, expiresAt } = await this.services.tickets.issue(credential, input.origin ?? origin);
    return { ticket, expiresAt: new Date(expiresAt).toISOString() };
  }
}
