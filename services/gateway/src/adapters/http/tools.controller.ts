import { Body, Controller, Get, Headers, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { type Principal, pushTriggersContracts as triggers, SCOPES } from '@plexus/contracts';
import { z } from 'zod';
import { Caller, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { defined, idempotencyKeyOf, readInput } from './read-input.js';

const RunId = z.string().min(1).max(128);
type RequestHeaders = Record<string, string | undefined>;

/** Tools of agents that speak HTTP: research, notify, or one after the other. What takes time answers with a `runId` that is asked for. */
@Controller('v1/tools')
export class ToolsController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  @Post('dispatch-research')
  @Describe({ rpc: triggers.dispatchResearch, scope: SCOPES.write, body: triggers.dispatchResearch.data, idempotency: 'owner' })
  @HttpCode(202)
  research(@Body() body: unknown, @Headers() headers: RequestHeaders, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    const input = withKey(readInput(triggers.dispatchResearch.data, body), headers);
    return this.services.mesh.call(triggers.dispatchResearch, principal.tenant, defined(input), { principal });
  }

  @Post('notify-user')
  @Describe({ rpc: triggers.notifyUser, scope: SCOPES.write, body: triggers.notifyUser.data, idempotency: 'owner' })
  @HttpCode(202)
  notify(@Body() body: unknown, @Headers() headers: RequestHeaders, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    const input = withKey(readInput(triggers.notifyUser.data, body), headers);
    return this.services.mesh.call(triggers.notifyUser, principal.tenant, defined(input), { principal });
  }

  @Post('dispatch-and-notify')
  @Describe({ rpc: triggers.dispatchAndNotify, scope: SCOPES.write, body: triggers.dispatchAndNotify.data, idempotency: 'owner' })
  @HttpCode(202)
  researchAndNotify(@Body() body: unknown, @Headers() headers: RequestHeaders, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    const input = withKey(readInput(triggers.dispatchAndNotify.data, body), headers);
    return this.services.mesh.call(triggers.dispatchAndNotify, principal.tenant, defined(input), { principal });
  }

  @Get('runs/:runId')
  @Describe({ rpc: triggers.dispatchStatus, scope: SCOPES.read })
  status(@Param('runId') runId: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(triggers.dispatchStatus, principal.tenant, { runId: readInput(RunId, runId) }, { principal });
  }
}

function withKey<T extends { readonly idempotencyKey?: string | undefined }>(input: T, headers: RequestHeaders): T {
  return { ...input, idempotencyKey: input.idempotencyKey ?? idempotencyKeyOf(headers) };
}
