import type { Bus } from '@plexus/bus';
import { sessionContracts } from '@plexus/contracts';
import type { SessionStreamEraser } from '../../application/erase-person.js';

const { sessionEvent, sessionMessage, sessionChanged } = sessionContracts;
const STREAM = 'PLEXUS_EVT_SESSION';
const TIMEOUT_MS = 10_000;

/** Removes the messages of a session from the stream of live events, and no others: the consumers of that stream have not seen all of them yet. */
export class EraseSessionStream implements SessionStreamEraser {
  constructor(private readonly bus: Pick<Bus, 'jetstream'>) {}

  async purge(tenant: string, sessionId: string): Promise<number> {
    let erased = 0;
    for (const contract of [sessionEvent, sessionMessage, sessionChanged]) {
      erased += await this.bus.jetstream.eraseSubject(STREAM, contract.subject(tenant, sessionId), undefined, { timeoutMs: TIMEOUT_MS });
    }
    return erased;
  }
}
