import type { Operation, OperationKind } from '../history.js';

/** A fault as it really happened, in ms since the run began. */
export interface Disturbance {
  readonly kind: string;
  readonly target: string;
  readonly from: number;
  readonly to: number;
}

export interface Recovery {
  readonly disturbance: Disturbance;
  /** Ms from the begin of the fault to the first success of an operation that began after it, by kind; undefined when there was none. */
  readonly firstSuccessMs: Readonly<Partial<Record<OperationKind, number>>>;
  /** The longest of them. */
  readonly worstMs: number | undefined;
}

/** How long after each fault every kind of operation worked again. Kinds that nobody tried after it are left out. */
export function recoveries(disturbances: readonly Disturbance[], operations: readonly Operation[]): Recovery[] {
  return disturbances.map((disturbance) => {
    const first: Partial<Record<OperationKind, number>> = {};
    for (const { kind, outcome, startedAt, endedAt } of operations) {
      if (outcome !== 'ok' || startedAt < disturbance.from) continue;
      const tookMs = endedAt - disturbance.from;
      if (first[kind] === undefined || tookMs < first[kind]) first[kind] = tookMs;
    }
    const times = Object.values(first);
    return { disturbance, firstSuccessMs: first, worstMs: times.length === 0 ? undefined : Math.max(...times) };
  });
}
