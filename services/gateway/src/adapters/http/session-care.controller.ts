import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Post, Query } from '@nestjs/common';
import { type Principal, routingContracts as routing, SCOPES } from '@plexus/contracts';
import { z } from 'zod';
import { Caller, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { defined, queryNumber, readInput } from './read-input.js';

const Key = z.string().trim().min(1).max(512);
const User = z.string().min(1).max(256);
const PatchBody = z.object({ label: z.string().max(100).nullable().optional(), displayName: z.string().max(200).nullable().optional() });
const ShareBody = z.object({ grantee: User, access: z.enum(['read', 'write']).optional() });
const ExportQuery = z.object({
  format: z.enum(['jsonl', 'markdown']).optional(),
  after: queryNumber(0, Number.MAX_SAFE_INTEGER).optional(),
  limit: queryNumber(1, 1_000).optional(),
  owner: User.optional(),
});

/** Whole sessions: what is known of one, sharing, relabelling, exporting, deleting. */
@Controller('v1/sessions')
export class SessionCareController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  @Get(':key')
  @Describe({ rpc: routing.describeSession, scope: SCOPES.read })
  describe(@Param('key') key: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(routing.describeSession, principal.tenant, { sessionKey: readInput(Key, key) }, { principal });
  }

  @Patch(':key')
  @Describe({ rpc: routing.patchSession, scope: SCOPES.write, body: PatchBody })
  patch(@Param('key') key: string, @Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    const input = defined({ ...readInput(PatchBody, body), sessionKey: readInput(Key, key) });
    return this.services.mesh.call(routing.patchSession, principal.tenant, input, { principal });
  }

  @Delete(':key')
  @Describe({ rpc: routing.deleteSession, scope: SCOPES.admin })
  remove(@Param('key') key: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(routing.deleteSession, principal.tenant, { sessionKey: readInput(Key, key) }, { principal });
  }

  @Get(':key/grants')
  @Describe({ rpc: routing.listGrants, scope: SCOPES.read })
  grants(@Param('key') key: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(routing.listGrants, principal.tenant, { sessionKey: readInput(Key, key) }, { principal });
  }

  @Post(':key/grants')
  @Describe({ rpc: routing.shareSession, scope: SCOPES.write, body: ShareBody })
  @HttpCode(200)
  share(@Param('key') key: string, @Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    const input = defined({ ...readInput(ShareBody, body), sessionKey: readInput(Key, key) });
    return this.services.mesh.call(routing.shareSession, principal.tenant, input, { principal });
  }

  @Delete(':key/grants/:grantee')
  @Describe({ rpc: routing.unshareSession, scope: SCOPES.write })
  unshare(@Param('key') key: string, @Param('grantee') grantee: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    const input = { sessionKey: readInput(Key, key), grantee: readInput(User, grantee) };
    return this.services.mesh.call(routing.unshareSession, principal.tenant, input, { principal });
  }

  /** One page of the transcript as text; `next` is the `after` of the next one. */
  @Get(':key/export')
  @Describe({ rpc: routing.exportSession, scope: SCOPES.read, query: ExportQuery })
  export(@Param('key') key: string, @Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    const input = defined({ ...readInput(ExportQuery, query), sessionKey: readInput(Key, key) });
    return this.services.mesh.call(routing.exportSession, principal.tenant, input, { principal });
  }
}
