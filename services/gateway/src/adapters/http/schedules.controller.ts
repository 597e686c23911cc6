import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Post, Query } from '@nestjs/common';
import { type Principal, pushTriggersContracts as triggers, SCOPES } from '@plexus/contracts';
import { z } from 'zod';
import { Caller, requireScope } from './caller.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { defined, queryNumber, readInput } from './read-input.js';

const flag = z.enum(['true', 'false', '1', '0']).transform((text) => text === 'true' || text === '1');
const ListQuery = z.object({ all: flag.optional(), after: z.string().max(128).optional(), limit: queryNumber(1, 200).optional() });
const RunsQuery = z.object({ limit: queryNumber(1, 200).optional() });
const Id = triggers.removeSchedule.data.shape.id;
const Changes = triggers.updateSchedule.data.omit({ id: true });

/** What fires by itself: schedules, and dispatch rules (operators). */
@Controller('v1')
export class SchedulesController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  @Get('schedules')
  list(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(triggers.listSchedules, principal.tenant, defined(readInput(ListQuery, query)), { principal });
  }

  @Post('schedules')
  @HttpCode(200)
  create(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    return this.services.mesh.call(triggers.createSchedule, principal.tenant, defined(readInput(triggers.createSchedule.data, body)), { principal });
  }

  @Patch('schedules/:id')
  update(@Param('id') id: string, @Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    const input = { ...readInput(Changes, body), id: readInput(Id, id) };
    return this.services.mesh.call(triggers.updateSchedule, principal.tenant, defined(input), { principal });
  }

  @Delete('schedules/:id')
  remove(@Param('id') id: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    return this.services.mesh.call(triggers.removeSchedule, principal.tenant, { id: readInput(Id, id) }, { principal });
  }

  @Post('schedules/:id/run')
  @HttpCode(200)
  run(@Param('id') id: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    return this.services.mesh.call(triggers.runSchedule, principal.tenant, { id: readInput(Id, id) }, { principal });
  }

  @Get('schedules/:id/runs')
  runs(@Param('id') id: string, @Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    const input = defined({ ...readInput(RunsQuery, query), id: readInput(Id, id) });
    return this.services.mesh.call(triggers.scheduleRuns, principal.tenant, input, { principal });
  }

  @Get('dispatch-rules')
  rules(@Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(triggers.listDispatchRules, principal.tenant, {}, { principal });
  }

  @Post('dispatch-rules')
  @HttpCode(200)
  saveRule(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(triggers.saveDispatchRule, principal.tenant, defined(readInput(triggers.saveDispatchRule.data, body)), { principal });
  }

  @Delete('dispatch-rules/:id')
  removeRule(@Param('id') id: string, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    return this.services.mesh.call(triggers.removeDispatchRule, principal.tenant, { id: readInput(Id, id) }, { principal });
  }
}
