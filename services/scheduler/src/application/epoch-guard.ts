import type { ProviderRegistry } from './provider-port.js';

/** Where epochs are remembered outside the database. */
export interface EpochMemory {
  /** The highest epoch that anybody has seen; 0: none. */
  highest(): Promise<number>;
}

export interface EpochSequence {
  /** Puts the sequence above `floor`. Returns true when it was not. */
  raiseAbove(floor: number): Promise<boolean>;
}

/**
 * A database that was restored from an old backup would give out epochs again that live incarnations already bear. Before anything is started the
 * sequence is put above every epoch that providers and the mesh know. Rejects when one of them cannot say: starting then would be a guess.
 */
export async function guardEpochs(
  providers: ProviderRegistry,
  memory: EpochMemory,
  sequence: EpochSequence,
): Promise<{ readonly floor: number; readonly raised: boolean }> {
  const seen = await Promise.all([memory.highest(), ...providers.all.map((provider) => provider.highestEpoch())]);
  const floor = Math.max(0, ...seen);
  return { floor, raised: await sequence.raiseAbove(floor) };
}
