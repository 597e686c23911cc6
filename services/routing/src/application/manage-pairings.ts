import { plexusError } from '@plexus/contracts';
import { readPairingCode } from '../domain/pairing-code.js';
import type { PairingRequest } from './channel-ports.js';
import type { RoutingStore } from './ports.js';

/** Wrong codes that one caller may try in one window. */
const MAX_FAILURES = 10;
const WINDOW_MS = 15 * 60_000;

/** Approves and rejects strangers by their code. */
export class ManagePairings {
  constructor(private readonly store: RoutingStore) {}

  list(tenant: string, channel?: string): Promise<PairingRequest[]> {
    return this.store.transaction((tx) => tx.channels.listPairings(tenant, channel));
  }

  /** Rejects with NOT_FOUND for a code that is none (any more), and with RATE_LIMITED for a caller that tried too many of those. */
  async decide(
    tenant: string,
    caller: string,
    typed: { code: string; channel?: string | undefined },
    decision: 'approved' | 'rejected',
  ): Promise<PairingRequest> {
    const request = await this.store.transaction(async (tx) => {
      if ((await tx.channels.failuresOf(tenant, caller)) >= MAX_FAILURES) {
        throw plexusError('RATE_LIMITED', { message: 'Too many wrong pairing codes; wait a quarter of an hour.', details: { retryAfterMs: WINDOW_MS } });
      }
      const found = await tx.channels.findPairing(tenant, readPairingCode(typed.code), typed.channel);
      if (!found) {
        await tx.channels.countFailure(tenant, caller, WINDOW_MS);
        return undefined;
      }
      await tx.channels.decide(found, decision, caller);
      await tx.channels.closePairing(found);
      return found;
    });
    // Outside the transaction: the wrong code stays counted.
    if (!request) throw plexusError('NOT_FOUND', { message: 'No stranger waits under this code; codes expire.', details: { code: typed.code } });
    return request;
  }
}
