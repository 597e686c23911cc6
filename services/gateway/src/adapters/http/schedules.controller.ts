import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Post, Query } from '@nestjs/common';
import { type Principal, pushTriggersContracts as triggers, SCOPES } from '@plexus/contracts';
import { z } from 'zod';
import { Caller, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { defined, queryNumber, readInput } from './read-input.js';

const flag = z.enum(['true', 'false', '1', '0']).transform((text) => text === 'true' || text === '1');
const ListQuery = z.object({ all: flag.optional(), after: z.string().max(128).optional(), limit: queryNumber(1, 200).optional() });
const RunsQuery = z.object({ limit: queryNumber(1, 200).optional() });
const Id = triggers.removeSchedule.data.shape.id;
const Changes = triggers.updateSchedule.data.omit({ id: true });
const RuleChanges = triggers.updateDispatchRule.data.omit({ id: true });

/** What fires by itself: schedules, and dispatch rules (operators). */
@Controller('v1')
export class SchedulesController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  @Get('schedules')
  @Describe({ rpc: triggers.listSchedules, scope: SCOPES.read, query: ListQuery })
  list(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(triggers.listSchedules, principal.tenant, defined(readInput(ListQuery, query)), { principal });
  }

  @Post('schedules')
  @Describe({ rpc: triggers.createSchedule, scope: SCOPES.write, body: triggers.createSchedule.data })
  @HttpCode(200)
  create(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    return this.services.mesh.call(triggers.createSchedule, principal.tenant, defined(readInput(triggers.createSchedule.data, body)), { principal });
  }

  @Patch('schedules/:id')
  @Describe({ rpc: triggers.updateSchedule, scope: SCOPES.write, body: Changes })
  update(@Param('id') id: string, @Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    const input = { ...readInput(Changes, body), id: readInput(Id, id) };
    return this.services.mesh.call(triggers.updateSchedule, principal.tenant, defined(input), { principal });
  }

  @Delete('schedules/:id')
  @Describe({ rpc: triggers.removeSchedule, scope: SCOPES.write })
  remove(@Param('id') id: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    return this.services.mesh.call(triggers.removeSchedule, principal.tenant, { id: readInput(Id, id) }, { principal });
  }

  @Post('schedules/:id/run')
  @Describe({ rpc: triggers.runSchedule, scope: SCOPES.write })
  @HttpCode(200)
  run(@Param('id') id: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    return this.services.mesh.call(triggers.runSchedule, principal.tenant, { id: readInput(Id, id) }, { principal });
  }

  @Get('schedules/:id/runs')
  @Describe({ rpc: triggers.scheduleRuns, scope: SCOPES.read, query: RunsQuery })
  runs(@Param('id') id: string, @Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    const input = defined({ ...readInput(RunsQuery, query), id: readInput(Id, id) });
    return this.services.mesh.call(triggers.scheduleRuns, principal.tenant, input, { principal });
  }

  @Get('dispatch-rules')
  @Describe({ rpc: triggers.listDispatchRules, scope: SCOPES.admin })
  rules(@Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(triggers.listDispatchRules, principal.tenant, {}, { principal });
  }

  @Post('dispatch-rules')
  @Describe({ rpc: triggers.saveDispatchRule, scope: SCOPES.admin, body: triggers.saveDispatchRule.data })
  @HttpCode(200)
  saveRule(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(triggers.saveDispatchRule, principal.tenant, defined(readInput(triggers.saveDispatchRule.data, body)), { principal });
  }

  @Patch('dispatch-rules/:id')
  @Describe({ rpc: triggers.updateDispatchRule, scope: SCOPES.admin, body: RuleChanges })
  updateRule(@Param('id') id: string, @Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    const input = { ...readInput(RuleChanges, body), id: readInput(Id, id) };
    return this.services.mesh.call(triggers.updateDispatchRule, principal.tenant, defined(input), { principal });
  }

  @Delete('dispatch-rules/:id')
  @Describe({ rpc: triggers.removeDispatchRule, scope: SCOPES.admin })
  removeRule(@Param('id') id: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(triggers.removeDispatchRule, principal.tenant, { id: readInput(Id, id) }, { principal });
  }
}
