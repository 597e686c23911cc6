import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, hasScope, plexusError, type ReplyOf, SCOPES, skillContracts } from '@plexus/contracts';
import { decodeFiles, Skills } from '../../application/skills.js';
import { tenantOf } from './caller.js';

const { uploadSkill, listSkills, getSkill, deleteSkill, skillPackage } = skillContracts;

/** Skills of the caller's tenant. What is uploaded runs in everybody's VM, hence only operators change them. */
@Controller()
export class SkillsController {
  constructor(private readonly skills: Skills) {}

  @Rpc(uploadSkill)
  async upload(@Payload() { files }: DataOf<typeof uploadSkill>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof uploadSkill>> {
    const tenant = changes(context);
    return this.skills.upload(tenant, decodeFiles(files));
  }

  @Rpc(listSkills)
  async list(@Ctx() context: RpcContext): Promise<ReplyOf<typeof listSkills>> {
    return { skills: await this.skills.list(tenantOf(context, SCOPES.read)) };
  }

  @Rpc(getSkill)
  async get(@Payload() { id, version }: DataOf<typeof getSkill>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof getSkill>> {
    return this.skills.get(tenantOf(context, SCOPES.read), id, version);
  }

  @Rpc(deleteSkill)
  async delete(@Payload() { id, version }: DataOf<typeof deleteSkill>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof deleteSkill>> {
    return { deleted: await this.skills.delete(changes(context), id, version) };
  }

  @Rpc(skillPackage)
  async package(@Payload() { skillId, version }: DataOf<typeof skillPackage>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof skillPackage>> {
    return { package: await this.skills.package(tenantOf(context, SCOPES.read), skillId, version) };
  }
}

function changes(context: RpcContext): string {
  if (context.principal.role === 'vm') throw plexusError('FORBIDDEN', { message: 'A VM may not change skills.' });
  if (!hasScope(context.principal.scopes, SCOPES.admin)) throw plexusError('MISSING_SCOPE', { details: { scope: SCOPES.admin } });
  return tenantOf(context, SCOPES.admin);
}
