import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';
import type { Order, State } from './peers.ts';
import type { Target } from './raw-peer.ts';

/** Many clients in a process of their own, so that what they cost is not the server's. */
export class Crowd {
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.child = child;
  }

  static async start(): Promise<Crowd> {
    const child = fork(path.join(import.meta.dirname, 'peers.ts'), [], { execArgv: ['--no-warnings', '--max-semi-space-size=16'] });
    await new Promise((resolve, reject) => child.once('message', resolve).once('exit', reject));
    return new Crowd(child);
  }

  /** Opens connections and keeps them; resolves with the seconds that took. */
  open(target: Target, count: number, atOnce: number): Promise<number> {
    return this.order({ do: 'open', target, count, atOnce });
  }

  /** Opens connections and closes each after its hello; resolves with handshakes per second. */
  handshakes(target: Target, atOnce: number, ms: number): Promise<number> {
    return this.order({ do: 'handshakes', target, atOnce, ms });
  }

  /** From now on counts events that hold the text. */
  expect(marker: string): Promise<void> {
    return this.order({ do: 'expect', marker });
  }

  /** Until every connection that lives has so many of them. */
  await(events: number): Promise<State> {
    return this.order({ do: 'await', events });
  }

  state(): Promise<State> {
    return this.order({ do: 'state' });
  }

  closeAll(): Promise<void> {
    return this.order({ do: 'close' });
  }

  stop(): void {
    this.child.disconnect();
  }

  private order<T>(order: Order): Promise<T> {
    return new Promise((resolve, reject) => {
      this.child.once('message', (answer: { done?: T; failed?: string }) => {
        if (answer.failed === undefined) resolve(answer.done as T);
        else reject(new Error(answer.failed));
      });
      this.child.send(order);
    });
  }
}

export function portOf(ws: string): number {
  return Number(new URL(ws).port);
}
