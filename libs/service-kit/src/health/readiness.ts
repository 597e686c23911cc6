import { type Clock, timeout } from '@plexus/kernel';

/** What a check says: `true`; the reason (or `false`) why not; or both, for a part that works with something worth showing. */
export type ReadinessAnswer = boolean | string | { readonly ok: boolean; readonly reason: string };
export type ReadinessCheck = () => ReadinessAnswer | Promise<ReadinessAnswer>;

/** One line of `/readyz`. */
export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  readonly reason?: string;
}

export interface ReadinessReport {
  readonly ready: boolean;
  readonly checks: readonly CheckResult[];
  /** Parts that do not run as configured while the rest does; absent: none. They do not make the process unready. */
  readonly degraded?: readonly { readonly module: string; readonly reason: string }[];
}

/** A check that has not answered by then counts as not ready. */
const CHECK_TIMEOUT_MS = 2_000;

/** Whether this process can work now: started, not draining, and every check content. */
export class Readiness {
  private readonly checks = new Map<string, ReadinessCheck>();
  private state: 'starting' | 'started' | 'draining' = 'starting';
  private latest: ReadinessReport = { ready: false, checks: [] };
  private parts: () => readonly { readonly module: string; readonly reason: string }[] = () => [];

  constructor(private readonly clock: Clock) {}

  /** A second check of the same name replaces the first. */
  add(name: string, check: ReadinessCheck): void {
    this.checks.set(name, check);
  }

  /** Where to ask for parts that are degraded. */
  degradedParts(parts: () => readonly { readonly module: string; readonly reason: string }[]): void {
    this.parts = parts;
  }

  started(): void {
    if (this.state === 'starting') this.state = 'started';
  }

  /** There is no way back: a draining process ends. */
  draining(): void {
    this.state = 'draining';
    this.latest = { ready: false, checks: [{ name: 'lifecycle', ok: false, reason: 'draining' }] };
  }

  /** What the last evaluation said. */
  get isReady(): boolean {
    return this.latest.ready;
  }

  /** The last evaluation; checks nothing. */
  get last(): ReadinessReport {
    return this.latest;
  }

  /** Asks every check now, all at once. Never rejects. */
  async evaluate(): Promise<ReadinessReport> {
    const results = await Promise.all([...this.checks].map(([name, check]) => this.ask(name, check)));
    const lifecycle: CheckResult = this.state === 'started' ? { name: 'lifecycle', ok: true } : { name: 'lifecycle', ok: false, reason: this.state };
    const checks = [lifecycle, ...results];
    const degraded = this.parts();
    const report = { ready: checks.every((check) => check.ok), checks, ...(degraded.length > 0 && { degraded }) };
    this.latest = report;
    return report;
  }

  private async ask(name: string, check: ReadinessCheck): Promise<CheckResult> {
    try {
      const answer = await timeout(
        Promise.resolve().then(() => check()),
        CHECK_TIMEOUT_MS,
        { clock: this.clock, what: `check ${name}` },
      );
      if (typeof answer === 'object') return { name, ...answer };
      if (answer === true) return { name, ok: true };
      return { name, ok: false, reason: answer === false ? 'not ready' : answer };
    } catch (error) {
      return { name, ok: false, reason: error instanceof Error ? error.message : String(error) };
    }
  }
}
