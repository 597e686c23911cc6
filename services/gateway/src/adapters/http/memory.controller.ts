import { Body, Controller, Delete, Get, Headers, HttpCode, Inject, Param, Patch, Post, Query } from '@nestjs/common';
import { METHODS } from '@plexus/client-protocol';
import { memoryContracts as memory, type Principal, SCOPES } from '@plexus/contracts';
import { z } from 'zod';
import { Caller, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { defined, idempotencyKeyOf, queryNumber, readInput } from './read-input.js';

const Scope = z
  .string()
  .regex(/^(user|session|agent|shared):.{1,512}$/s, { error: 'must be <kind>:<id>, kind one of user, session, agent, shared' })
  .transform((text) => ({ kind: text.slice(0, text.indexOf(':')) as 'user' | 'session' | 'agent' | 'shared', id: text.slice(text.indexOf(':') + 1) }));
const flag = z.enum(['true', 'false', '1', '0']).transform((text) => text === 'true' || text === '1');
const SearchQuery = z.object({
  q: z.string().min(1).max(4_096),
  k: queryNumber(1, 50).optional(),
  scope: z.union([Scope.transform((scope) => [scope]), z.array(Scope).max(10)]).optional(),
  namespace: z.string().max(128).optional(),
  minScore: z.coerce.number().min(0).max(1).optional(),
  mode: z.enum(['auto', 'text', 'vector']).optional(),
  asOf: z.iso.datetime({ offset: true }).optional(),
  includeHistory: flag.optional(),
  decay: flag.optional(),
  importance: flag.optional(),
  mmr: flag.optional(),
  collapse: flag.optional(),
  typos: flag.optional(),
  explain: flag.optional(),
  orderBy: z.enum(['score', 'rrf']).optional(),
  cursor: z.string().max(2_048).optional(),
});
const ListQuery = z.object({
  scope: Scope.optional(),
  limit: queryNumber(1, 200).optional(),
  includeHistory: flag.optional(),
  cursor: z.string().max(512).optional(),
});
const Update = memory.updateMemory.data.omit({ id: true });
const Id = z.string().min(1).max(64);

@Controller('v1/memory')
export class MemoryController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  @Post()
  @Describe({ rpc: memory.writeMemory, scope: SCOPES.write, body: METHODS['memory.write'].params, idempotency: 'owner' })
  @HttpCode(201)
  write(@Body() body: unknown, @Headers() headers: Record<string, string | undefined>, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    const input = readInput(METHODS['memory.write'].params, body);
    const idempotencyKey = input.idempotencyKey ?? idempotencyKeyOf(headers);
    return this.services.mesh.call(memory.writeMemory, principal.tenant, defined({ ...input, idempotencyKey }), { principal });
  }

  @Get('search')
  @Describe({ rpc: memory.searchMemory, scope: SCOPES.read, query: SearchQuery })
  search(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    const { q, scope, ...rest } = readInput(SearchQuery, query);
    return this.services.mesh.call(memory.searchMemory, principal.tenant, defined({ ...rest, query: q, scopes: scope }), { principal });
  }

  @Get('stats')
  @Describe({ rpc: memory.memoryStats, scope: SCOPES.read })
  stats(@Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(memory.memoryStats, principal.tenant, {}, { principal });
  }

  @Get()
  @Describe({ rpc: memory.listMemories, scope: SCOPES.read, query: ListQuery })
  list(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(memory.listMemories, principal.tenant, defined(readInput(ListQuery, query)), { principal });
  }

  @Get(':id')
  @Describe({ rpc: memory.getMemory, scope: SCOPES.read })
  get(@Param('id') id: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(memory.getMemory, principal.tenant, { id: readInput(Id, id) }, { principal });
  }

  @Patch(':id')
  @Describe({ rpc: memory.updateMemory, scope: SCOPES.write, body: Update })
  update(@Param('id') id: string, @Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    return this.services.mesh.call(memory.updateMemory, principal.tenant, { ...readInput(Update, body), id: readInput(Id, id) }, { principal });
  }

  @Delete(':id')
  @Describe({ rpc: memory.deleteMemory, scope: SCOPES.write })
  delete(@Param('id') id: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    return this.services.mesh.call(memory.deleteMemory, principal.tenant, { id: readInput(Id, id) }, { principal });
  }
}
