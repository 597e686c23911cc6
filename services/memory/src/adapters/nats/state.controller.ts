import { Controller, Inject } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, errors, memorySessionContracts, type ReplyOf, SCOPES } from '@plexus/contracts';
import { ownerFor } from '../../application/owner-for.js';
import type { PostgresState } from '../postgres/postgres-state.js';
import { callerOf } from './caller.js';

const { putState, appendState, getState, listState, deleteState } = memorySessionContracts;

/** Bytes of one piece: JSON may take up to six for one of them, and one answer must fit one message of the bus. */
const PIECE_BYTES = 160 * 1024;

/** State of one user. */
export type StateOf = (tenant: string, owner: string) => PostgresState;
export const STATE_OF = Symbol('STATE_OF');

/** State for agents in VMs: over their connection, never by a database URL. */
@Controller()
export class StateController {
  constructor(@Inject(STATE_OF) private readonly stateOf: StateOf) {}

  @Rpc(putState)
  async put(@Payload() { run, name, value, expectVersion, owner }: DataOf<typeof putState>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof putState>> {
    return { entry: await this.#state(context, SCOPES.write, owner).put(run, name, value, expecting(expectVersion)) };
  }

  @Rpc(appendState)
  async append(
    @Payload() { run, name, text, expectVersion, owner }: DataOf<typeof appendState>,
    @Ctx() context: RpcContext,
  ): Promise<ReplyOf<typeof appendState>> {
    return { entry: await this.#state(context, SCOPES.write, owner).append(run, name, text, expecting(expectVersion)) };
  }

  @Rpc(getState)
  async get(@Payload() { run, name, offset, owner }: DataOf<typeof getState>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof getState>> {
    // One byte more than a piece: it says whether a character ends with the piece.
    const found = await this.#state(context, SCOPES.read, owner).bytes(run, name, offset, PIECE_BYTES + 1);
    if (found === undefined) throw errors.create('NOT_FOUND', { details: { run, name } });
    const value = pieceOf(found.data);
    const nextOffset = offset + value.length;
    return { entry: found.entry, value: value.toString(), ...(nextOffset < found.entry.bytes ? { nextOffset } : {}) };
  }

  @Rpc(listState)
  async list(@Payload() { run, owner, limit, ...page }: DataOf<typeof listState>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof listState>> {
    const found = await this.#state(context, SCOPES.read, owner).page(run, { ...page, limit: limit + 1 });
    return { entries: found.slice(0, limit), more: found.length > limit };
  }

  @Rpc(deleteState)
  async delete(@Payload() { run, name, expectVersion, owner }: DataOf<typeof deleteState>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof deleteState>> {
    return { deleted: await this.#state(context, SCOPES.write, owner).delete(run, name, expecting(expectVersion)) };
  }

  #state(context: RpcContext, scope: string, owner: string | undefined): PostgresState {
    const caller = callerOf(context, scope);
    return this.stateOf(caller.tenant, ownerFor(caller, owner));
  }
}

function expecting(expectVersion: number | undefined) {
  return expectVersion === undefined ? {} : { expectVersion };
}

/** The piece without what would be half a character at its end. */
function pieceOf(bytes: Buffer): Buffer {
  const isInside = (at: number) => at < bytes.length && ((bytes[at] as number) & 0xc0) === 0x80;
  if (isInside(0)) throw errors.create('INVALID_REQUEST', { details: { issues: [{ path: 'offset', message: 'lies inside a character' }] } });
  let end = Math.min(bytes.length, PIECE_BYTES);
  while (isInside(end)) end -= 1;
  return bytes.subarray(0, end);
}
