export interface Transition {
  readonly from: string;
  readonly to: string;
  readonly cause: string;
  readonly epoch: number;
  readonly at: string;
}

/** A stretch of time in one state; `from` and `to` are shares of the whole width, 0 to 1. */
export interface Segment {
  readonly state: string;
  readonly cause: string;
  readonly at: string;
  readonly ms: number;
  readonly from: number;
  readonly to: number;
}

export type Tone = 'ok' | 'warn' | 'bad' | 'idle';

const TONES: Readonly<Record<string, Tone>> = {
  ready: 'ok',
  requested: 'warn',
  provisioning: 'warn',
  booting: 'warn',
  warm: 'ok',
  suspect: 'bad',
  draining: 'warn',
  pausing: 'warn',
  paused: 'idle',
  backoff: 'bad',
  stopping: 'warn',
  failed: 'bad',
  terminated: 'idle',
};

export const toneOfState = (state: string): Tone => TONES[state] ?? 'warn';

/** No stretch is too short to be seen. */
const MIN_SHARE = 0.012;

/** The stretches of a VM's life, oldest first, from its transitions (newest first, as the API lists them). */
export function segmentsOf(transitions: readonly Transition[], now: number): readonly Segment[] {
  const steps = [...transitions].reverse();
  const begun = steps[0] === undefined ? now : Date.parse(steps[0].at);
  const raw = steps.map(({ to, cause, at }, place) => {
    const end = Date.parse(steps[place + 1]?.at ?? '') || now;
    return { state: to, cause, at, ms: Math.max(0, end - Date.parse(at)) };
  });
  const whole = Math.max(1, now - begun);
  const shares = raw.map(({ ms }) => Math.max(MIN_SHARE, ms / whole));
  const sum = shares.reduce((total, share) => total + share, 0);
  let place = 0;
  return raw.map((one, index) => {
    const from = place;
    place += (shares[index] as number) / sum;
    return { ...one, from, to: place };
  });
}
