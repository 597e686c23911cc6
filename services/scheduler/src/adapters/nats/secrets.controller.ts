import { Controller, Inject } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, plexusError, type ReplyOf, SCOPES, vmContracts } from '@plexus/contracts';
import type { ProviderSecrets } from '../../application/provider-secrets.js';
import { SECRETS } from '../../tokens.js';
import { ownerOf } from './caller.js';

const { putVmSecret, listVmSecrets, deleteVmSecret } = vmContracts;

/** Provider keys of the caller. They go in, and out only to the caller's own VMs. */
@Controller()
export class SecretsController {
  constructor(@Inject(SECRETS) private readonly secrets: ProviderSecrets | null) {}

  @Rpc(putVmSecret)
  async put(@Payload() { name, value }: DataOf<typeof putVmSecret>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof putVmSecret>> {
    const { tenant, subject } = ownerOf(context, 'user', SCOPES.write);
    await this.store().put(tenant, subject, name, value);
    return { name };
  }

  @Rpc(listVmSecrets)
  async list(@Ctx() context: RpcContext): Promise<ReplyOf<typeof listVmSecrets>> {
    const { tenant, subject } = ownerOf(context, 'user', SCOPES.read);
    return { secrets: await this.store().list(tenant, subject) };
  }

  @Rpc(deleteVmSecret)
  async delete(@Payload() { name }: DataOf<typeof deleteVmSecret>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof deleteVmSecret>> {
    const { tenant, subject } = ownerOf(context, 'user', SCOPES.write);
    return { deleted: await this.store().delete(tenant, subject, name) };
  }

  private store(): ProviderSecrets {
    if (this.secrets === null)
      throw plexusError('UNAVAILABLE', { message: 'The scheduler has no master key (PLEXUS_MASTER_KEY_FILE): it keeps no provider keys.' });
    return this.secrets;
  }
}
