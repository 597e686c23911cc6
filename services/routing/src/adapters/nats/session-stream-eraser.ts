import type { Bus } from '@plexus/bus';
import { plexusError } from '@plexus/contracts';
import { timeout } from '@plexus/kernel';
import type { SessionStreamEraser } from '../../application/erase-person.js';

const STREAM = 'PLEXUS_EVT_SESSION';
const TIMEOUT_MS = 10_000;

/** Purges the subjects of a session from the stream of live events. */
export class PurgeSessionStream implements SessionStreamEraser {
  constructor(private readonly bus: Pick<Bus, 'connection'>) {}

  async purge(tenant: string, sessionId: string): Promise<number> {
    let purged = 0;
    for (const name of ['event', 'message', 'changed']) purged += await this.#purge(`plexus.evt.${tenant}.session.${name}.v1.${sessionId}`);
    return purged;
  }

  async #purge(filter: string): Promise<number> {
    const asked = this.bus.connection.request(`$JS.API.STREAM.PURGE.${STREAM}`, JSON.stringify({ filter }), { timeout: TIMEOUT_MS });
    const answer = (await timeout(asked, TIMEOUT_MS + 1_000, { code: 'UNAVAILABLE' })).json() as { purged?: number; error?: { description?: string } };
    if (answer.error) throw plexusError('UNAVAILABLE', { message: `The session stream cannot be purged: ${answer.error.description ?? 'no reason given'}.` });
    return answer.purged ?? 0;
  }
}
