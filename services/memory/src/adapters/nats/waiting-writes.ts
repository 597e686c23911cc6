import type { Bus } from '@plexus/bus';
import { memoryContracts, plexusError } from '@plexus/contracts';
import { timeout } from '@plexus/kernel';
import type { WaitingWrites } from '../../application/archive-ports.js';
import type { Visible } from '../../domain/access.js';

const STREAM = 'PLEXUS_CMD_MEMORY';
const TIMEOUT_MS = 10_000;
/** What JetStream says when no message of that subject is left. */
const NOT_FOUND = 404;

interface ApiAnswer {
  readonly message?: { readonly seq: number };
  readonly error?: { readonly code?: number; readonly description?: string };
}

/**
 * Removes commands of a scope that nobody has worked on yet. Publishers write `<kind>:<id>` into the subject. Message by message: a server of the
 * 2.9 series that purges a subject moves the stream's consumers behind everything that waits, so the writes of all others would be lost.
 */
export class PurgeWaitingWrites implements WaitingWrites {
  constructor(private readonly bus: Pick<Bus, 'connection'>) {}

  async purge(tenant: string, { kind, id }: Visible): Promise<number> {
    const subject = memoryContracts.writeMemoryCommand.subject(tenant, `${kind}:${id}`);
    let purged = 0;
    for (let from = 1; ; ) {
      const found = await this.#ask('MSG.GET', { seq: from, next_by_subj: subject });
      if (found.error?.code === NOT_FOUND || found.message === undefined) return purged;
      const { seq } = found.message;
      // Gone meanwhile: somebody worked on it, and the memory that it made is purged with the rows.
      if ((await this.#ask('MSG.DELETE', { seq })).error === undefined) purged += 1;
      from = seq + 1;
    }
  }

  async #ask(operation: string, request: object): Promise<ApiAnswer> {
    const asked = this.bus.connection.request(`$JS.API.STREAM.${operation}.${STREAM}`, JSON.stringify(request), { timeout: TIMEOUT_MS });
    const answer = (await timeout(asked, TIMEOUT_MS + 1_000, { code: 'UNAVAILABLE' })).json() as ApiAnswer;
    const { code, description } = answer.error ?? {};
    if (answer.error === undefined || code === NOT_FOUND || operation === 'MSG.DELETE') return answer;
    throw plexusError('UNAVAILABLE', { message: `Waiting writes cannot be removed: ${description ?? 'no reason given'}.` });
  }
}
