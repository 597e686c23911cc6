import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessIdentity } from './process-identity.js';
import { StartError } from './start-error.js';

/** One life of a supervised process. */
export interface Life {
  readonly identity: ProcessIdentity;
  /** Settles when the process has ended, whoever ended it. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  /** Internal HTTP address, where it has one. */
  readonly http?: string | undefined;
  /** What else it said when it became ready. */
  readonly extra?: Readonly<Record<string, unknown>> | undefined;
  stop(graceMs: number): Promise<void>;
  signal(signal: NodeJS.Signals): void;
}

export interface SupervisedOptions {
  readonly name: string;
  /** Starts one life and settles when it is ready. Gives up by rejecting; `abort` asks it to. */
  readonly begin: (abort: AbortSignal) => Promise<Life>;
  readonly onChange: (change: Change) => void;
  readonly backoff?: { readonly baseMs: number; readonly capMs: number };
}

/** What happened to a supervised process, for the display and the mesh record. */
export type Change =
  | { readonly kind: 'ready'; readonly name: string; readonly life: Life; readonly restart: boolean }
  | { readonly kind: 'ended'; readonly name: string; readonly reason: string; readonly retryInMs: number }
  | { readonly kind: 'failed'; readonly name: string; readonly reason: string; readonly retryInMs: number };

const BACKOFF = { baseMs: 250, capMs: 5_000 } as const;
/** A life this long proves that the start works: the next failure begins with the shortest pause again. */
const STABLE_MS = 20_000;
/** A service that ends with this wants to be started again at once, for example because its configuration asks for it: no failure. */
const PLANNED_EXIT_CODE = 75;
/** Unless it wants it all the time. */
const SHORTEST_PLANNED_MS = 1_000;

/** Keeps one process running: starts it again with growing pauses whenever it ends, until stopped. */
export class Supervised {
  readonly name: string;
  private life: Life | undefined;
  private failures = 0;
  private readonly abort = new AbortController();
  private loop: Promise<void> | undefined;
  private starting: Promise<Life> | undefined;
  private readonly watchers = new Set<(life: Life) => void>();

  constructor(private readonly options: SupervisedOptions) {
    this.name = options.name;
  }

  /** The life that is ready now; undefined between two. */
  get current(): Life | undefined {
    return this.life;
  }

  /** Starts it; settles when it is ready for the first time. Rejects when the first attempt fails, without further attempts. */
  async start(): Promise<Life> {
    this.starting = this.options.begin(this.abort.signal);
    const life = await this.starting;
    if (this.abort.signal.aborted) {
      await life.stop(1_000);
      throw new StartError('STOPPED', `${this.name} was stopped while it started`);
    }
    this.ready(life, false);
    this.loop = this.keep(life);
    return life;
  }

  /** Settles with the next life that becomes ready after `previous` (default: the current one). */
  nextLife(timeoutMs: number, previous = this.life): Promise<Life> {
    if (this.life !== undefined && this.life !== previous) return Promise.resolve(this.life);
    return new Promise((resolve, reject) => {
      const seen = (life: Life): void => {
        clearTimeout(timer);
        this.watchers.delete(seen);
        resolve(life);
      };
      const timer = setTimeout(() => {
        this.watchers.delete(seen);
        reject(new StartError('PROCESS_NOT_READY', `${this.name} was not ready again within ${timeoutMs} ms`));
      }, timeoutMs);
      this.watchers.add(seen);
    });
  }

  /** Stops it for good: asks, waits `graceMs`, kills. Never rejects for a process that is gone already. */
  async stop(graceMs: number): Promise<void> {
    this.abort.abort();
    await this.starting?.catch(() => {}); // its failure is the business of whoever called start()
    await this.life?.stop(graceMs);
    await this.loop;
  }

  /** Ends the current life as asked; the supervision then starts the next one. */
  async restart(graceMs: number, timeoutMs: number): Promise<Life> {
    const previous = this.life;
    const next = this.nextLife(timeoutMs, previous);
    await previous?.stop(graceMs);
    return next;
  }

  private async keep(first: Life): Promise<void> {
    let life: Life | undefined = first;
    while (!this.abort.signal.aborted) {
      if (life !== undefined) {
        const bornAt = performance.now();
        const exit = await life.ended;
        this.life = undefined;
        if (this.abort.signal.aborted) return;
        const livedMs = performance.now() - bornAt;
        if (livedMs >= STABLE_MS) this.failures = 0;
        if (exit.code === PLANNED_EXIT_CODE && livedMs >= SHORTEST_PLANNED_MS) {
          this.options.onChange({ kind: 'ended', name: this.name, reason: 'restarts as its configuration asks', retryInMs: 0 });
          life = await this.next();
          continue;
        }
        await this.pause('ended', exit.signal === null ? `ended with code ${exit.code}` : `was ended by ${exit.signal}`);
      }
      life = await this.next();
    }
  }

  private async next(): Promise<Life | undefined> {
    if (this.abort.signal.aborted) return undefined;
    try {
      const life = await this.options.begin(this.abort.signal);
      if (this.abort.signal.aborted) {
        await life.stop(1_000);
        return undefined;
      }
      this.ready(life, true);
      return life;
    } catch (error) {
      if (!this.abort.signal.aborted) await this.pause('failed', error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  private ready(life: Life, restart: boolean): void {
    this.life = life;
    this.options.onChange({ kind: 'ready', name: this.name, life, restart });
    for (const watcher of [...this.watchers]) watcher(life);
  }

  private async pause(kind: 'ended' | 'failed', reason: string): Promise<void> {
    const { baseMs, capMs } = this.options.backoff ?? BACKOFF;
    const retryInMs = Math.min(capMs, baseMs * 2 ** Math.min(this.failures, 10));
    this.failures += 1;
    this.options.onChange({ kind, name: this.name, reason, retryInMs });
    await sleep(retryInMs, undefined, { signal: this.abort.signal }).catch(() => {}); // aborted: the loop ends
  }
}
