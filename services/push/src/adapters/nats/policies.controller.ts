import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, pushPolicyContracts as contracts, type ReplyOf } from '@plexus/contracts';
import { ManagePolicies } from '../../application/policies/manage-policies.js';
import type { StoredPolicy } from '../../application/policies/policy-ports.js';
import { ReplayPolicies } from '../../application/policies/replay-policies.js';
import { administratorOf, readerOf } from './caller.js';

const { putPolicy, testPolicy, activatePolicy, rollbackPolicy, retirePolicy, getPolicy, listPolicies, diffPolicies, replayPolicy, getReplay, cancelReplay } =
  contracts;

/** Policies of the caller's tenant: reading with operator.read, everything else with operator.admin. */
@Controller()
export class PoliciesController {
  constructor(
    private readonly policies: ManagePolicies,
    private readonly replays: ReplayPolicies,
  ) {}

  @Rpc(putPolicy)
  async put(@Payload() draft: DataOf<typeof putPolicy>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof putPolicy>> {
    const { tenant, name } = administratorOf(context);
    return { policy: summary(await this.policies.put(tenant, name, draft)) };
  }

  @Rpc(testPolicy)
  async test(@Payload() reference: DataOf<typeof testPolicy>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof testPolicy>> {
    const { tenant } = administratorOf(context);
    const { report, policy } = await this.policies.test(tenant, reference);
    return { report, ...(policy === undefined ? {} : { policy: summary(policy) }) };
  }

  @Rpc(activatePolicy)
  async activate(@Payload() { version, replayHours }: DataOf<typeof activatePolicy>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof activatePolicy>> {
    const { tenant, name } = administratorOf(context);
    const { policy, ...rest } = await this.policies.activate(tenant, name, version, replayHours);
    return { policy: summary(policy), ...rest };
  }

  @Rpc(rollbackPolicy)
  async rollback(@Payload() { version }: DataOf<typeof rollbackPolicy>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof rollbackPolicy>> {
    const { tenant, name } = administratorOf(context);
    const { policy, ...rest } = await this.policies.rollback(tenant, name, version);
    return { policy: summary(policy), ...rest };
  }

  @Rpc(retirePolicy)
  async retire(@Payload() { version }: DataOf<typeof retirePolicy>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof retirePolicy>> {
    const { tenant } = administratorOf(context);
    return { policy: summary(await this.policies.retire(tenant, version)) };
  }

  @Rpc(getPolicy)
  async get(@Payload() { version }: DataOf<typeof getPolicy>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof getPolicy>> {
    const { tenant } = readerOf(context);
    const policy = await this.policies.get(tenant, version);
    const { body, text, report } = policy;
    return { policy: summary(policy), body, text, ...(report === undefined ? {} : { report }) };
  }

  @Rpc(listPolicies)
  async list(@Payload() { limit, before }: DataOf<typeof listPolicies>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof listPolicies>> {
    const { tenant } = readerOf(context);
    const { active, policies } = await this.policies.list(tenant, { limit, ...(before === undefined ? {} : { before }) });
    return { active, policies: policies.map(summary) };
  }

  @Rpc(diffPolicies)
  async diff(@Payload() { from, to, ...given }: DataOf<typeof diffPolicies>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof diffPolicies>> {
    const { tenant } = readerOf(context);
    const changes = await this.policies.diff(tenant, from, { version: to, ...given });
    return { changes };
  }

  @Rpc(replayPolicy)
  async replay(@Payload() { waitMs, ...asked }: DataOf<typeof replayPolicy>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof replayPolicy>> {
    const { tenant } = administratorOf(context);
    const job = await this.replays.start(tenant, asked);
    return this.replays.get(tenant, job, waitMs);
  }

  @Rpc(getReplay)
  async replayJob(@Payload() { jobId, waitMs }: DataOf<typeof getReplay>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof getReplay>> {
    // Its examples name what other people got: reading is not enough.
    const { tenant } = administratorOf(context);
    return this.replays.get(tenant, jobId, waitMs);
  }

  @Rpc(cancelReplay)
  async cancel(@Payload() { jobId }: DataOf<typeof cancelReplay>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof cancelReplay>> {
    const { tenant } = administratorOf(context);
    return this.replays.cancel(tenant, jobId);
  }
}

function summary({ body: _body, text: _text, report, ...policy }: StoredPolicy): ReplyOf<typeof putPolicy>['policy'] {
  return { ...policy, ...(report === undefined ? {} : { tests: { total: report.total, failed: report.failures.length } }) };
}
