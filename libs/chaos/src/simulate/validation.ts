import type { SimulationInputs } from './inputs.js';
import { simulateQueue } from './storm.js';

export interface ValidatedStep {
  readonly offered: number;
  readonly measuredP50Ms: number;
  readonly measuredP99Ms: number;
  readonly measuredCores: number;
  readonly predictedCores: number;
  /** What other programs left of the machine. */
  readonly freeCores: number;
  /** What all the work that one operation causes takes on the machine's cores, waiting included. */
  readonly predictedP50Ms: number;
  readonly predictedP99Ms: number;
  readonly keptUp: boolean;
  /** Undefined when other programs took all that was left: then nobody knows what the mesh could have had. */
  readonly predictedKeptUp: boolean | undefined;
}

const SECONDS = 60;
/** Above it queues do not come to rest within a step. */
const FULL = 0.95;
/** Less than this to spare, and the machine was full. */
const SPARE_CORES = 0.05;

/**
 * The model against the load test on the same machine. Only the first two steps are taken from the measurement: what the mesh costs at rest, and what
 * one operation adds. How many cores the others use, and where what other programs leave of the machine is not enough any more, is then predicted.
 */
export function validate({ validation }: SimulationInputs): ValidatedStep[] {
  const { restCores, workMs } = costOf(validation.steps);
  return validation.steps.map(({ offered, cores, otherCores, chatP50Ms, chatP99Ms, saturated }) => {
    const predictedCores = restCores + (offered * workMs) / 1_000;
    const freeCores = Math.max(0, validation.cores - otherCores);
    const { p50, p99 } = simulateQueue({ perSecond: offered, workMs, servers: validation.cores, seconds: SECONDS, seed: 1 });
    return {
      offered,
      measuredP50Ms: chatP50Ms,
      measuredP99Ms: chatP99Ms,
      measuredCores: cores,
      predictedCores,
      freeCores,
      predictedP50Ms: p50,
      predictedP99Ms: p99,
      keptUp: !saturated,
      predictedKeptUp: freeCores < cores + SPARE_CORES ? undefined : predictedCores < FULL * freeCores,
    };
  });
}

/** Cores at rest, and ms of work that each operation adds, by the line through the first two steps; through the origin when that goes down. */
export function costOf(steps: SimulationInputs['validation']['steps']): { restCores: number; workMs: number } {
  const [first, second] = steps;
  if (first === undefined) return { restCores: 0, workMs: 0 };
  const slope = second === undefined ? 0 : (second.cores - first.cores) / (second.achieved - first.achieved);
  if (!(slope > 0)) return { restCores: 0, workMs: (first.cores / first.achieved) * 1_000 };
  return { restCores: Math.max(0, first.cores - slope * first.achieved), workMs: slope * 1_000 };
}
