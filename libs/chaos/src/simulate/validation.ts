import type { SimulationInputs } from './inputs.js';
import { simulateQueue } from './storm.js';

export interface ValidatedStep {
  readonly offered: number;
  readonly measuredP50Ms: number;
  readonly measuredP99Ms: number;
  readonly measuredCores: number;
  readonly predictedCores: number;
  /** What all the work that one operation causes takes on the machine's cores, waiting included. */
  readonly predictedP50Ms: number;
  readonly predictedP99Ms: number;
  readonly keptUp: boolean;
  readonly predictedKeptUp: boolean;
}

const SECONDS = 120;
/** Above it a queue does not come to rest within a step. */
const FULL = 0.95;

/**
 * The model against the load test on the same machine. Only the first step is taken from the measurement: what one operation costs there in CPU. How
 * many cores the other steps use, how long operations take and where the machine gives up is then predicted.
 */
export function validate({ validation }: SimulationInputs): ValidatedStep[] {
  const [first] = validation.steps;
  if (first === undefined) return [];
  const workMs = (first.cores / first.achieved) * 1_000;
  return validation.steps.map(({ offered, cores, chatP50Ms, chatP99Ms, saturated }) => {
    const predictedCores = (offered * workMs) / 1_000;
    const predictedKeptUp = predictedCores < FULL * validation.cores;
    const { p50, p99 } = simulateQueue({ perSecond: offered, workMs, servers: validation.cores, seconds: SECONDS, seed: 1 });
    return {
      offered,
      measuredP50Ms: chatP50Ms,
      measuredP99Ms: chatP99Ms,
      measuredCores: cores,
      predictedCores,
      predictedP50Ms: p50,
      predictedP99Ms: p99,
      keptUp: !saturated,
      predictedKeptUp,
    };
  });
}
