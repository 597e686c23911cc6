import { spread } from '@plexus/kernel';
import { LIMITS } from '@plexus/vm-protocol/link';

/** Beats in a row that went wrong before the connection is given up. */
const MAX_FAILURES = 2;
const JITTER = 0.1;

/** What the heartbeat of one connection has to do next. Pure: times are milliseconds of a monotonic clock. */
export class HeartbeatBook {
  private readonly outstanding: number[] = [];
  private dueAt: number;
  private failures = 0;
  private lastAnswerAt: number;

  constructor(
    now: number,
    readonly everyMs: number = LIMITS.heartbeatMs,
    private readonly random: () => number = Math.random,
  ) {
    this.dueAt = now;
    this.lastAnswerAt = now;
  }

  /** Silence after which the connection is dead, in proportion to the interval that the mesh asked for. */
  private get silenceMs(): number {
    return (this.everyMs * LIMITS.heartbeatSilenceMs) / LIMITS.heartbeatMs;
  }

  /** 'beat': send one now and report it. 'drop': the connection is dead. */
  next(now: number): 'wait' | 'beat' | 'drop' {
    if (this.failures >= MAX_FAILURES || now - this.lastAnswerAt >= this.silenceMs) return 'drop';
    if (now < this.dueAt) return 'wait';
    // The beat before this one was not answered in a whole interval.
    if (this.outstanding.length > 0 && ++this.failures >= MAX_FAILURES) return 'drop';
    return 'beat';
  }

  sent(now: number): void {
    this.outstanding.push(now);
    this.dueAt = now + spread(this.everyMs, JITTER, this.random);
  }

  /** The socket refused the beat that was reported last; the next one is due at once, so that a dead socket shows soon. */
  sendFailed(): void {
    this.outstanding.pop();
    this.failures++;
    this.dueAt = Number.NEGATIVE_INFINITY;
  }

  /** An answer came. Answers keep the order of the beats; returns when the answered beat was sent, undefined for an answer to nothing. */
  answered(now: number): number | undefined {
    const sentAt = this.outstanding.shift();
    if (sentAt === undefined) return undefined;
    this.failures = 0;
    this.lastAnswerAt = now;
    return sentAt;
  }
}
