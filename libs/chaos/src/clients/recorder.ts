import { setTimeout as sleep } from 'node:timers/promises';
import { foreignCanaries, type Leak, type Operation, type OperationKind, type SeenEnd } from '../history.js';
import { isCertainRefusal } from './refusal.js';

export interface Wish {
  readonly id: string;
  readonly kind: OperationKind;
  readonly tenant: string;
  readonly user: string;
  readonly place: string;
}

export interface Patience {
  /** Tries go on for so long. */
  readonly forMs: number;
  /** At most so many tries. */
  readonly tries: number;
}

const BETWEEN_TRIES_MS = 300;

/** Writes down what every client does and sees, on one clock. */
export class Recorder {
  readonly operations: Operation[] = [];
  readonly ends: SeenEnd[] = [];
  readonly leaks: Leak[] = [];
  private readonly began = performance.now();

  /** Ms since the run began. */
  now(): number {
    return performance.now() - this.began;
  }

  /**
   * Tries until it is acknowledged, refused, or patience ends; every try must mean the same (one id). Only when every single try was refused for sure does the
   * operation count as refused: otherwise nobody knows.
   */
  async attempt(wish: Wish, patience: Patience, work: () => Promise<string | undefined>): Promise<Operation> {
    const operation: Operation = { ...wish, startedAt: this.now(), endedAt: Number.POSITIVE_INFINITY, outcome: 'maybe', attempts: 0 };
    this.operations.push(operation);
    const giveUpAt = operation.startedAt + patience.forMs;
    let unsure = false;
    while (operation.attempts < patience.tries) {
      operation.attempts += 1;
      try {
        const result = await work();
        if (result !== undefined) operation.result = result;
        operation.outcome = 'ok';
        delete operation.error;
        break;
      } catch (error) {
        operation.error = describe(error);
        const certain = isCertainRefusal(error);
        unsure ||= !certain;
        if (certain && !unsure) operation.outcome = 'refused';
        else operation.outcome = 'maybe';
        if (certain || this.now() + BETWEEN_TRIES_MS >= giveUpAt) break;
        await sleep(BETWEEN_TRIES_MS);
      }
    }
    operation.endedAt = this.now();
    return operation;
  }

  /** Looks for marks of other tenants in what somebody was shown. */
  shown(tenant: string, user: string, where: string, content: unknown): void {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    if (foreignCanaries(text, tenant).length > 0) this.leaks.push({ tenant, user, where, text: text.slice(0, 500) });
  }

  ended(end: SeenEnd): void {
    this.ends.push(end);
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, details } = error as Error & { code?: unknown; details?: { code?: unknown } };
  return [details?.code ?? code, error.message]
    .filter((part) => part !== undefined)
    .join(': ')
    .slice(0, 300);
}
