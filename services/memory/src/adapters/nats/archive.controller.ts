import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, memoryArchiveContracts, type ReplyOf, SCOPES } from '@plexus/contracts';
import { ExportMemories } from '../../application/export-memories.js';
import { ImportMemories } from '../../application/import-memories.js';
import { PurgeMemories } from '../../application/purge-memories.js';
import { callerOf } from './caller.js';

const { exportMemories, importMemories, purgeMemories, checkPurgeReceipt } = memoryArchiveContracts;

/** Whole users and scopes: out into a file, back from one, and away for good. */
@Controller()
export class ArchiveController {
  constructor(
    private readonly exporting: ExportMemories,
    private readonly importing: ImportMemories,
    private readonly purging: PurgeMemories,
  ) {}

  @Rpc(exportMemories)
  async export(@Payload() request: DataOf<typeof exportMemories>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof exportMemories>> {
    const { lines, asOf, nextCursor } = await this.exporting.execute(callerOf(context, SCOPES.read), request);
    return { lines: [...lines], asOf: asOf.toISOString(), ...(nextCursor === undefined ? {} : { nextCursor }) };
  }

  @Rpc(importMemories)
  import(@Payload() request: DataOf<typeof importMemories>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof importMemories>> {
    return this.importing.execute(callerOf(context, SCOPES.write), request);
  }

  @Rpc(purgeMemories)
  async purge(@Payload() { confirm: _confirm, ...whose }: DataOf<typeof purgeMemories>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof purgeMemories>> {
    return { receipt: await this.purging.execute(callerOf(context, SCOPES.write), whose) };
  }

  @Rpc(checkPurgeReceipt)
  async check(@Payload() { receipt, ...whose }: DataOf<typeof checkPurgeReceipt>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof checkPurgeReceipt>> {
    return this.purging.check(callerOf(context, SCOPES.read), receipt, whose);
  }
}
