export { chaosCommand } from './chaos-command.js';
export { check } from './checker/check.js';
export { PROMISES, type Promised, type Violation } from './checker/violation.js';
export type { History, Operation } from './history.js';
export { loadCommand } from './load/load-command.js';
export { type ChaosOptions, type ChaosResult, runChaos } from './run-chaos.js';
export { simulateCommand } from './simulate/simulate-command.js';
