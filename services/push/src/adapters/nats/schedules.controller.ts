import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, pushTriggersContracts, type ReplyOf, SCOPES } from '@plexus/contracts';
import { ManageSchedules } from '../../application/triggers/manage-schedules.js';
import type { ScheduleRun, StoredSchedule } from '../../application/triggers/trigger-ports.js';
import { requireStorable, scheduleCaller } from './trigger-caller.js';

const { createSchedule, updateSchedule, listSchedules, removeSchedule, runSchedule, scheduleRuns } = pushTriggersContracts;

@Controller()
export class SchedulesController {
  constructor(private readonly schedules: ManageSchedules) {}

  @Rpc(createSchedule)
  async create(@Payload() draft: DataOf<typeof createSchedule>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof createSchedule>> {
    requireStorable('name', draft.name);
    requireStorable('owner', draft.owner);
    const { schedule, created } = await this.schedules.create(scheduleCaller(context, SCOPES.write), draft);
    return { schedule: toContract(schedule), created };
  }

  @Rpc(updateSchedule)
  async update(@Payload() patch: DataOf<typeof updateSchedule>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof updateSchedule>> {
    requireStorable('name', patch.name);
    return { schedule: toContract(await this.schedules.update(scheduleCaller(context, SCOPES.write), patch)) };
  }

  @Rpc(listSchedules)
  async list(@Payload() selection: DataOf<typeof listSchedules>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof listSchedules>> {
    requireStorable('after', selection.after);
    const { schedules, next } = await this.schedules.list(scheduleCaller(context, SCOPES.read), selection);
    return { schedules: schedules.map(toContract), ...(next === undefined ? {} : { next }) };
  }

  @Rpc(removeSchedule)
  async remove(@Payload() { id }: DataOf<typeof removeSchedule>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof removeSchedule>> {
    return { removed: await this.schedules.remove(scheduleCaller(context, SCOPES.write), id) };
  }

  @Rpc(runSchedule)
  async run(@Payload() { id }: DataOf<typeof runSchedule>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof runSchedule>> {
    const { dueAt, state, runId } = await this.schedules.runNow(scheduleCaller(context, SCOPES.write), id);
    return { dueAt: instant(dueAt), state, ...(runId === undefined ? {} : { runId }) };
  }

  @Rpc(scheduleRuns)
  async runs(@Payload() { id, limit }: DataOf<typeof scheduleRuns>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof scheduleRuns>> {
    return { runs: (await this.schedules.runs(scheduleCaller(context, SCOPES.read), id, limit)).map(toFiringContract) };
  }
}

function toContract({ tenant: _tenant, nextAt, createdAt, at, ...rest }: StoredSchedule): pushTriggersContracts.Schedule {
  return {
    ...rest,
    createdAt: instant(createdAt),
    ...(at === undefined ? {} : { at: instant(at) }),
    ...(nextAt === undefined ? {} : { nextAt: instant(nextAt) }),
  };
}

function toFiringContract({ dueAt, firedAt, ...rest }: ScheduleRun): ReplyOf<typeof scheduleRuns>['runs'][number] {
  return { ...rest, dueAt: instant(dueAt), firedAt: instant(firedAt) };
}

function instant(at: number): string {
  return new Date(at).toISOString();
}
