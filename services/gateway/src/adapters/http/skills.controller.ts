import { Body, Controller, Delete, Get, Inject, Param, Post, Query } from '@nestjs/common';
import { type Principal, SCOPES, skillContracts as skill } from '@plexus/contracts';
import { z } from 'zod';
import { Caller, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { defined, readInput } from './read-input.js';

const Id = skill.getSkill.data.shape.id;
const WhichVersion = z.object({ version: skill.getSkill.data.shape.version });

/** Skills of the caller's tenant, passed on to the scheduler. */
@Controller('v1/skills')
export class SkillsController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  @Post()
  @Describe({ rpc: skill.uploadSkill, scope: SCOPES.admin, body: skill.uploadSkill.data })
  upload(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(skill.uploadSkill, principal.tenant, readInput(skill.uploadSkill.data, body), { principal });
  }

  @Get()
  @Describe({ rpc: skill.listSkills, scope: SCOPES.read })
  list(@Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(skill.listSkills, principal.tenant, {}, { principal });
  }

  @Get(':id')
  @Describe({ rpc: skill.getSkill, scope: SCOPES.read, query: WhichVersion })
  get(@Param('id') id: string, @Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(skill.getSkill, principal.tenant, defined({ ...readInput(WhichVersion, query), id: readInput(Id, id) }), { principal });
  }

  @Get(':id/package')
  @Describe({ rpc: skill.skillPackage, scope: SCOPES.read, query: WhichVersion })
  package(@Param('id') id: string, @Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    const input = defined({ ...readInput(WhichVersion, query), skillId: readInput(Id, id) });
    return this.services.mesh.call(skill.skillPackage, principal.tenant, input, { principal });
  }

  @Delete(':id')
  @Describe({ rpc: skill.deleteSkill, scope: SCOPES.admin, query: WhichVersion })
  delete(@Param('id') id: string, @Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(skill.deleteSkill, principal.tenant, defined({ ...readInput(WhichVersion, query), id: readInput(Id, id) }), { principal });
  }
}
