import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, pushTriggersContracts, type ReplyOf, SCOPES } from '@plexus/contracts';
import { AgentTools } from '../../application/triggers/agent-tools.js';
import { ManageDispatch } from '../../application/triggers/manage-dispatch.js';
import type { StoredRule, StoredRun } from '../../application/triggers/trigger-ports.js';
import { requireOperator, requireStorable, toolCaller } from './trigger-caller.js';

const {
  saveDispatchRule,
  updateDispatchRule,
  listDispatchRules,
  removeDispatchRule,
  dispatchRuns,
  dispatchStatus,
  dispatchResearch,
  notifyUser,
  dispatchAndNotify,
} = pushTriggersContracts;

@Controller()
export class DispatchController {
  constructor(
    private readonly dispatching: ManageDispatch,
    private readonly tools: AgentTools,
  ) {}

  @Rpc(saveDispatchRule)
  async save(@Payload() draft: DataOf<typeof saveDispatchRule>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof saveDispatchRule>> {
    requireOperator(context);
    requireStorable('name', draft.name);
    requireStorable('owner', draft.owner);
    if (Array.isArray(draft.notify.to)) for (const user of draft.notify.to) requireStorable('notify', user);
    const { rule, created } = await this.dispatching.save(toolCaller(context, SCOPES.admin), draft);
    return { rule: toRuleContract(rule), created };
  }

  @Rpc(updateDispatchRule)
  async update(@Payload() patch: DataOf<typeof updateDispatchRule>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof updateDispatchRule>> {
    requireOperator(context);
    requireStorable('name', patch.name);
    requireStorable('owner', patch.owner);
    if (Array.isArray(patch.notify?.to)) for (const user of patch.notify.to) requireStorable('notify', user);
    return { rule: toRuleContract(await this.dispatching.update(context.tenant, patch)) };
  }

  @Rpc(listDispatchRules)
  async rules(@Ctx() context: RpcContext): Promise<ReplyOf<typeof listDispatchRules>> {
    requireOperator(context);
    return { rules: (await this.dispatching.rules(context.tenant)).map(toRuleContract) };
  }

  @Rpc(removeDispatchRule)
  async remove(@Payload() { id }: DataOf<typeof removeDispatchRule>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof removeDispatchRule>> {
    requireOperator(context);
    return { removed: await this.dispatching.remove(context.tenant, id) };
  }

  @Rpc(dispatchRuns)
  async runs(@Payload() selection: DataOf<typeof dispatchRuns>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof dispatchRuns>> {
    requireStorable('sourceId', selection.sourceId);
    return { runs: (await this.dispatching.runs(toolCaller(context, SCOPES.read), selection)).map(toRunContract) };
  }

  @Rpc(dispatchStatus)
  async status(@Payload() { runId }: DataOf<typeof dispatchStatus>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof dispatchStatus>> {
    requireStorable('runId', runId);
    return { run: toRunContract(await this.dispatching.run(toolCaller(context, SCOPES.read), runId)) };
  }

  @Rpc(dispatchResearch)
  async research(@Payload() request: DataOf<typeof dispatchResearch>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof dispatchResearch>> {
    return { runId: await this.tools.research(toolCaller(context, SCOPES.write), request) };
  }

  @Rpc(notifyUser)
  async notify(@Payload() request: DataOf<typeof notifyUser>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof notifyUser>> {
    requireStorable('user', request.user);
    return this.tools.notify(toolCaller(context, SCOPES.write), request);
  }

  @Rpc(dispatchAndNotify)
  async researchAndNotify(@Payload() request: DataOf<typeof dispatchAndNotify>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof dispatchAndNotify>> {
    requireStorable('user', request.user);
    const { user, summary = request.query.slice(0, 200), severity, caseId, entities, regions, topics, ...research } = request;
    const about = { ...(caseId === undefined ? {} : { caseId }), ...(entities && { entities }), ...(regions && { regions }), ...(topics && { topics }) };
    const notice = { notice: { ...about, summary, severity }, onFailure: true, followers: false };
    return { runId: await this.tools.research(toolCaller(context, SCOPES.write), research, { notice, ...(user === undefined ? {} : { user }) }) };
  }
}

function toRuleContract({ tenant: _tenant, createdAt, ...rest }: StoredRule): pushTriggersContracts.DispatchRule {
  return { ...rest, createdAt: new Date(createdAt).toISOString() };
}

function toRunContract(run: StoredRun): pushTriggersContracts.DispatchRun {
  const { id, kind, sourceId, owner, state, agentRunId, sessionKey, result, error, depth, createdAt, endedAt } = run;
  return {
    ...{ id, kind, owner, state, depth },
    ...(kind === 'tool' ? {} : { sourceId }),
    ...(agentRunId === undefined ? {} : { agentRunId }),
    ...(sessionKey === undefined ? {} : { sessionKey }),
    ...(result === undefined ? {} : { result }),
    ...(error === undefined ? {} : { error }),
    createdAt: new Date(createdAt).toISOString(),
    ...(endedAt === undefined ? {} : { endedAt: new Date(endedAt).toISOString() }),
  };
}
