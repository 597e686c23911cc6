import { Body, Controller, Get, Headers, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { plexusError, type Principal, routingContracts as routing, SCOPES } from '@plexus/contracts';
import { z } from 'zod';
import { Caller, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { defined, idempotencyKeyOf, readInput } from './read-input.js';

const { idempotencyKey, ...sendShape } = routing.sendMessage.data.shape;
const SendBody = z.object({ ...sendShape, idempotencyKey: idempotencyKey.optional() });
const SendId = routing.getSend.data.shape.sendId;
const ChannelQuery = z.object({ channel: z.string().max(64).optional() });
const PairingBody = routing.approvePairing.data;

/** Messages to chat channels, how their accounts are, and who may write over them. */
@Controller('v1')
export class ChannelsController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  /** Answered once the message will not be lost; `GET /v1/sends/:sendId` tells what became of it. */
  @Post('send')
  @Describe({ rpc: routing.sendMessage, scope: SCOPES.write, body: SendBody, idempotency: 'owner' })
  @HttpCode(202)
  send(@Body() body: unknown, @Headers() headers: Record<string, string | undefined>, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    const input = readInput(SendBody, body);
    const key = input.idempotencyKey ?? idempotencyKeyOf(headers);
    if (key === undefined)
      throw plexusError('INVALID_REQUEST', { message: 'a send needs an Idempotency-Key', details: { issues: [{ path: '/idempotencyKey' }] } });
    return this.services.mesh.call(routing.sendMessage, principal.tenant, defined({ ...input, idempotencyKey: key }) as never, { principal });
  }

  @Get('sends/:sendId')
  @Describe({ rpc: routing.getSend, scope: SCOPES.read })
  outcome(@Param('sendId') sendId: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(routing.getSend, principal.tenant, { sendId: readInput(SendId, sendId) }, { principal });
  }

  @Get('channels/health')
  @Describe({ rpc: routing.channelHealth, scope: SCOPES.read, query: ChannelQuery })
  health(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(routing.channelHealth, principal.tenant, defined(readInput(ChannelQuery, query)), { principal });
  }

  @Get('pairings')
  @Describe({ rpc: routing.listPairings, scope: SCOPES.pairing, query: ChannelQuery })
  pairings(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.pairing);
    return this.services.mesh.call(routing.listPairings, principal.tenant, defined(readInput(ChannelQuery, query)), { principal });
  }

  @Post('pairings/approve')
  @Describe({ rpc: routing.approvePairing, scope: SCOPES.pairing, body: PairingBody })
  @HttpCode(200)
  approve(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.pairing);
    return this.services.mesh.call(routing.approvePairing, principal.tenant, defined(readInput(PairingBody, body)), { principal });
  }

  @Post('pairings/reject')
  @Describe({ rpc: routing.rejectPairing, scope: SCOPES.pairing, body: PairingBody })
  @HttpCode(200)
  reject(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.pairing);
    return this.services.mesh.call(routing.rejectPairing, principal.tenant, defined(readInput(PairingBody, body)), { principal });
  }
}
