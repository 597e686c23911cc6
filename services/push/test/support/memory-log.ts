import type { CandidateEntry, CandidateLog, LogFeed, OwnedPartition } from '../../src/application/deciding-ports.js';
import { isUrgent } from '../../src/adapters/nats/log-tape.js';
import type { LogBody, LogInput } from '../../src/domain/engine/types.js';
import { partitionOf } from '../../src/domain/partition.js';

/** The log as an array: positions and moments as a stream would give them, and nothing else of a stream. */
export class MemoryLog implements CandidateLog {
  readonly inputs: (LogInput & { readonly part: number })[] = [];
  /** Moment at which the next input is stored. */
  now = 0;
  /** Whether the log recognises candidates that it has, as a stream does within its window. */
  dedupes = true;
  private readonly ids = new Set<string>();

  async append(candidates: readonly CandidateEntry[]): Promise<void> {
    for (const { tenant, user, event, hits, score, agent } of candidates) {
      const id = `candidate:${user}:${event.key}`;
      if (this.dedupes && this.ids.has(`${tenant}:${id}`)) continue;
      this.ids.add(`${tenant}:${id}`);
      this.write(tenant, user, id, { kind: 'candidate', data: { event, hits: [...hits], score, ...(agent === undefined ? {} : { agent }) } });
    }
  }

  /** Everybody (`_`) is written once into each of the given partitions. */
  write(tenant: string, user: string, id: string, body: LogBody, parts: readonly number[] = [partitionOf(tenant, user)]): void {
    for (const part of parts) {
      // Through JSON, as everything that comes from a stream.
      const input = { ...body, id, tenant, user, seq: this.inputs.length + 1, at: this.now, part };
      this.inputs.push(JSON.parse(JSON.stringify(input)) as LogInput & { part: number });
    }
  }

  clear(): void {
    this.inputs.length = 0;
    this.ids.clear();
    this.now = 0;
    this.dedupes = true;
  }

  behind(part: number, cursor: number, most = Number.POSITIVE_INFINITY): LogInput[] {
    return this.inputs
      .slice(cursor)
      .filter((input) => input.part === part)
      .slice(0, most);
  }
}

/** Hands a memory log to a decider. */
export class MemoryFeed implements LogFeed {
  private readonly cursors = new Map<number, number>();
  restarted = false;

  constructor(private readonly log: MemoryLog) {}

  open(partitions: readonly OwnedPartition[]): void {
    for (const { part, cursor } of partitions) this.cursors.set(part, cursor);
  }

  close(parts: readonly number[]): void {
    for (const part of parts) this.cursors.delete(part);
  }

  peek(part: number, most: number): { inputs: LogInput[]; next: number } {
    const cursor = this.cursors.get(part) ?? 0;
    const inputs = this.cursors.has(part) ? this.log.behind(part, cursor, most) : [];
    return { inputs, next: inputs.at(-1)?.seq ?? cursor };
  }

  confirm(part: number, next: number): void {
    if (this.cursors.has(part)) this.cursors.set(part, next);
  }

  waiting(part: number): boolean {
    return this.peek(part, 1).inputs.length > 0;
  }

  urgent(part: number): number {
    return this.peek(part, Number.POSITIVE_INFINITY).inputs.findIndex(isUrgent) + 1;
  }

  async hasRestarted(): Promise<boolean> {
    return this.restarted;
  }

  async stop(): Promise<void> {}
}
