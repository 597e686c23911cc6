import type { Bus } from '@plexus/bus';
import { memoryContracts, plexusError } from '@plexus/contracts';
import { timeout } from '@plexus/kernel';
import type { WaitingWrites } from '../../application/archive-ports.js';
import type { Visible } from '../../domain/access.js';

const STREAM = 'PLEXUS_CMD_MEMORY';
const TIMEOUT_MS = 10_000;

/** Commands of a scope that nobody has worked on yet. Publishers write `<kind>:<id>` into the subject. */
export class PurgeWaitingWrites implements WaitingWrites {
  constructor(private readonly bus: Pick<Bus, 'connection'>) {}

  async purge(tenant: string, { kind, id }: Visible): Promise<number> {
    const filter = memoryContracts.writeMemoryCommand.subject(tenant, `${kind}:${id}`);
    const asked = this.bus.connection.request(`$JS.API.STREAM.PURGE.${STREAM}`, JSON.stringify({ filter }), { timeout: TIMEOUT_MS });
    const answer = (await timeout(asked, TIMEOUT_MS + 1_000, { code: 'UNAVAILABLE' })).json() as { purged?: number; error?: { description?: string } };
    if (answer.error) throw plexusError('UNAVAILABLE', { message: `Waiting writes cannot be purged: ${answer.error.description ?? 'no reason given'}.` });
    return answer.purged ?? 0;
  }
}
