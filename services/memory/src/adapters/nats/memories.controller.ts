import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, memoryContracts, type ReplyOf, SCOPES } from '@plexus/contracts';
import { counter, histogram } from '@plexus/telemetry';
import { ReadMemories } from '../../application/read-memories.js';
import { SearchMemories } from '../../application/search-memories.js';
import { WriteMemory } from '../../application/write-memory.js';
import { callerOf } from './caller.js';
import { toContract, toSearchAnswer } from './search-answer.js';

const { writeMemory, searchMemory, getMemory, listMemories, updateMemory, deleteMemory, memoryStats } = memoryContracts;
const written = counter('memoriesWritten');
const searchSeconds = histogram('memorySearchSeconds');

@Controller()
export class MemoriesController {
  constructor(
    private readonly writing: WriteMemory,
    private readonly searching: SearchMemories,
    private readonly reading: ReadMemories,
  ) {}

  @Rpc(writeMemory)
  async write(@Payload() { idempotencyKey, ...request }: DataOf<typeof writeMemory>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof writeMemory>> {
    const answer = await this.writing.execute(callerOf(context, SCOPES.write), request, idempotencyKey);
    written.add(1, { result: answer.result });
    return answer;
  }

  @Rpc(searchMemory)
  async search(@Payload() request: DataOf<typeof searchMemory>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof searchMemory>> {
    const answer = await this.searching.execute(callerOf(context, SCOPES.read), request);
    searchSeconds.record(answer.tookMs / 1_000);
    return toSearchAnswer(answer);
  }

  @Rpc(getMemory)
  async get(@Payload() { id }: DataOf<typeof getMemory>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof getMemory>> {
    const caller = callerOf(context, SCOPES.read);
    const memory = toContract(await this.reading.get(caller, id));
    const nearDuplicates = await this.reading.nearDuplicates(caller, id);
    return { memory, ...(nearDuplicates.length === 0 ? {} : { nearDuplicates: [...nearDuplicates] }) };
  }

  @Rpc(listMemories)
  async list(@Payload() request: DataOf<typeof listMemories>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof listMemories>> {
    const { memories, nextCursor } = await this.reading.list(callerOf(context, SCOPES.read), request);
    return { memories: memories.map(toContract), ...(nextCursor === undefined ? {} : { nextCursor }) };
  }

  @Rpc(updateMemory)
  async update(@Payload() { id, ...request }: DataOf<typeof updateMemory>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof updateMemory>> {
    const answer = await this.writing.update(callerOf(context, SCOPES.write), id, request);
    written.add(1, { result: answer.result });
    return { ...answer, supersedes: id };
  }

  @Rpc(deleteMemory)
  async delete(@Payload() { id }: DataOf<typeof deleteMemory>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof deleteMemory>> {
    return { deleted: await this.reading.delete(callerOf(context, SCOPES.write), id) };
  }

  @Rpc(memoryStats)
  async stats(@Ctx() context: RpcContext): Promise<ReplyOf<typeof memoryStats>> {
    const stats = await this.reading.stats(callerOf(context, SCOPES.read));
    return { ...stats, models: [...stats.models] };
  }
}
