import type { pushPolicyContracts } from '@plexus/contracts';
import { table } from '../output.js';

type Job = pushPolicyContracts.ReplayJob;
type Result = pushPolicyContracts.ReplayResult;

const SHOWN = 5;

/** A replay for people: where it stands, or what it found and what that rests on. */
export function jobLines(job: Job): string[] {
  const { jobId, state, progress, error, result } = job;
  if (result !== undefined) return resultLines(job, result);
  const said = error === undefined ? '' : `: ${error}`;
  return [`${jobId} is ${state} after ${progress.inputs} inputs${said}`, ...(state === 'interrupted' ? ['Its replica is gone; start it again.'] : [])];
}

function resultLines({ jobId, version, against }: Job, result: Result): string[] {
  const { coverage, added, removed, moved, unchanged, criticalRegressions, criticalRegressionCount, examples, interrupts, volume } = result;
  const names = `${against === 0 ? 'the built-in policy' : `policy ${against}`} and ${version === undefined ? 'the given policy' : `policy ${version}`}`;
  return [
    `${jobId}: ${coverage.from} to ${coverage.to} under ${names}: ${coverage.inputs} inputs, ${coverage.users} users${coverage.complete ? '' : `, only ${coverage.partitions} of 64 partitions whole`}`,
    `sends: ${added} added, ${removed} removed, ${moved} moved, ${unchanged} unchanged; interruptions ${interrupts.before} → ${interrupts.after}`,
    ...(criticalRegressionCount === 0 ? ['no critical regression'] : [`${criticalRegressionCount} CRITICAL REGRESSIONS: it cannot be activated`]),
    ...criticalRegressions.slice(0, SHOWN).map((change) => `  ! ${changeLine(change)}`),
    ...exampleLines('added', examples.added),
    ...exampleLines('removed', examples.removed),
    ...exampleLines('moved', examples.moved),
    'interruptions per user:',
    ...table([
      ['  COUNT', 'USERS BEFORE', 'USERS AFTER'],
      ...volume.map(({ min, max, before, after }) => [`  ${min === max ? min : `${min}–${max ?? '…'}`}`, String(before), String(after)]),
    ]),
    'what this rests on:',
    ...coverage.assumptions.map((sentence) => `  - ${sentence}`),
  ];
}

function exampleLines(what: string, changes: Result['examples']['added']): string[] {
  return changes.length === 0 ? [] : [`${what}, for example:`, ...changes.slice(0, SHOWN).map((change) => `  ${changeLine(change)}`)];
}

/** One event of one user, before and after. */
export function changeLine({ user, event, before, after, why }: Result['criticalRegressions'][number]): string {
  const side = (one: { reason: string; at: string } | undefined) => (one === undefined ? 'nothing' : `${one.reason} at ${one.at}`);
  return `${user} ${event.type} ${event.id}: ${side(before)} → ${side(after)}${why === undefined ? '' : ` (${why})`}`;
}
