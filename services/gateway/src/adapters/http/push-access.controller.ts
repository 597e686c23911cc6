import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Query } from '@nestjs/common';
import { type Principal, pushManageContracts as manage, SCOPES } from '@plexus/contracts';
import { z } from 'zod';
import { Caller, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { defined, queryNumber, readInput } from './read-input.js';

const GrantQuery = z.object({
  user: z.string().min(1).max(256).optional(),
  scopeKind: z.enum(['case', 'topic']).optional(),
  scopeRef: z.string().min(1).max(256).optional(),
  limit: queryNumber(1, 200).optional(),
  cursor: z.string().min(1).max(512).optional(),
});
const ContactQuery = z.object({ channel: manage.ContactChannel.optional() });
const Code = z.object({ code: z.string().trim().min(1).max(32) });
const IdOnly = manage.removeContact.data;

/** Who may see a case or topic, and where people can be reached. */
@Controller('v1')
export class PushAccessController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  /** Without operator.admin only one's own. */
  @Get('grants')
  @Describe({ rpc: manage.listAccess, scope: SCOPES.read, query: GrantQuery })
  grants(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(manage.listAccess, principal.tenant, defined(readInput(GrantQuery, query)), { principal });
  }

  @Post('grants')
  @Describe({ rpc: manage.grantAccess, scope: SCOPES.admin, body: manage.grantAccess.data })
  @HttpCode(200)
  grant(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(manage.grantAccess, principal.tenant, defined(readInput(manage.grantAccess.data, body)), { principal });
  }

  @Delete('grants')
  @Describe({ rpc: manage.revokeAccess, scope: SCOPES.admin, query: manage.revokeAccess.data })
  revoke(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(manage.revokeAccess, principal.tenant, readInput(manage.revokeAccess.data, query), { principal });
  }

  /** Restricts a scope to holders of grants, or opens it, whatever is granted. */
  @Put('grants/restriction')
  @Describe({ rpc: manage.restrictScope, scope: SCOPES.admin, body: manage.restrictScope.data })
  restrict(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(manage.restrictScope, principal.tenant, readInput(manage.restrictScope.data, body), { principal });
  }

  @Get('contacts')
  @Describe({ rpc: manage.listContacts, scope: SCOPES.read, query: ContactQuery })
  contacts(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(manage.listContacts, principal.tenant, defined(readInput(ContactQuery, query)), { principal });
  }

  @Post('contacts')
  @Describe({ rpc: manage.addContact, scope: SCOPES.write, body: manage.addContact.data })
  @HttpCode(200)
  addContact(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    return this.services.mesh.call(manage.addContact, principal.tenant, defined(readInput(manage.addContact.data, body)), { principal });
  }

  /** Sends a new code. */
  @Post('contacts/:id/code')
  @Describe({ rpc: manage.sendContactCode, scope: SCOPES.write })
  @HttpCode(200)
  sendCode(@Param('id') id: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    return this.services.mesh.call(manage.sendContactCode, principal.tenant, readInput(IdOnly, { id }), { principal });
  }

  @Post('contacts/:id/verify')
  @Describe({ rpc: manage.verifyContact, scope: SCOPES.write, body: Code })
  @HttpCode(200)
  verify(@Param('id') id: string, @Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    const data = { ...readInput(IdOnly, { id }), ...readInput(Code, body) };
    return this.services.mesh.call(manage.verifyContact, principal.tenant, data, { principal });
  }

  @Delete('contacts/:id')
  @Describe({ rpc: manage.removeContact, scope: SCOPES.write })
  removeContact(@Param('id') id: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    return this.services.mesh.call(manage.removeContact, principal.tenant, readInput(IdOnly, { id }), { principal });
  }
}
