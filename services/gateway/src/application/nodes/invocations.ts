import { plexusError } from '@plexus/contracts';
import { type Clock, type Timer, ulid } from '@plexus/kernel';
import { type ClientConnection, shareEvent } from '../client-connection.js';

/** A command for one node. */
export interface Invocation {
  readonly nodeId: string;
  readonly command: string;
  /** Parameters as JSON text, as nodes take them. */
  readonly paramsJSON?: string;
  readonly timeoutMs: number;
  readonly idempotencyKey: string;
}

/** What a node answered. */
export interface NodeAnswer {
  readonly ok: boolean;
  readonly payloadJSON?: string;
  readonly error?: { readonly code: string; readonly message: string };
}

interface Pending {
  readonly node: ClientConnection;
  readonly timer: Timer;
  readonly settle: (outcome: NodeAnswer | Error) => void;
}

interface Kept {
  readonly answer: Promise<NodeAnswer>;
  readonly at: number;
  /** Callers that still wait; at 0 the node is told to stop. */
  waiting: number;
  ended: boolean;
  readonly stop: () => void;
}

/** Commands that one node may be running at once. */
const MAX_PER_NODE = 64;
/** An idempotency key is remembered for so long, as the protocol's other keys are. */
const REMEMBER_MS = 5 * 60_000;
const REMEMBER_KEYS = 1_000;

/**
 * Commands on their way to nodes of this process. Each ends once: with the node's answer, its time limit, the node's disconnect, or
 * because nobody waits any more. The same idempotency key for the same node is one command, whoever asks again.
 */
export class Invocations {
  private readonly pending = new Map<string, Pending>();
  private readonly kept = new Map<string, Kept>();

  constructor(private readonly clock: Pick<Clock, 'setTimeout' | 'monotonic'>) {}

  /** Rejects with NOT_CONNECTED, TIMEOUT, QUEUE_FULL, or what the signal says. */
  async run(node: ClientConnection, invocation: Invocation, signal?: AbortSignal): Promise<NodeAnswer> {
    const key = `${node.owner}\u0000${invocation.nodeId}\u0000${invocation.idempotencyKey}`;
    const one = this.recall(key) ?? this.start(key, node, invocation);
    one.waiting += 1;
    try {
      return await abortable(one.answer, signal);
    } finally {
      one.waiting -= 1;
      if (one.waiting === 0 && !one.ended) one.stop();
    }
  }

  /** A node answers. False when nothing of that id waits for this node: answered before, too late, or never asked. */
  settle(node: ClientConnection, id: string, answer: NodeAnswer): boolean {
    const pending = this.pending.get(id);
    if (pending === undefined || pending.node !== node) return false;
    pending.settle(answer);
    return true;
  }

  /** The node is gone; whether its commands took effect is unknown. */
  left(node: ClientConnection): void {
    for (const pending of [...this.pending.values()]) {
      if (pending.node === node) pending.settle(plexusError('NOT_CONNECTED', { message: 'the node disconnected before it answered' }));
    }
  }

  private start(key: string, node: ClientConnection, { timeoutMs, ...invocation }: Invocation): Kept {
    if ([...this.pending.values()].filter((pending) => pending.node === node).length >= MAX_PER_NODE) {
      throw plexusError('QUEUE_FULL', { message: `the node is running ${MAX_PER_NODE} commands already` });
    }
    const id = ulid();
    let resolve: (answer: NodeAnswer) => void = () => undefined;
    let reject: (error: Error) => void = () => undefined;
    const promise = new Promise<NodeAnswer>((...both) => {
      [resolve, reject] = both;
    });
    // Whoever asked may have gone; then nobody hears how it ended.
    promise.catch(() => undefined);
    const kept: Kept = { answer: promise, at: this.clock.monotonic(), waiting: 0, ended: false, stop: () => this.cancel(id, invocation.nodeId) };
    const settle = (outcome: NodeAnswer | Error): void => {
      this.pending.get(id)?.timer.cancel();
      this.pending.delete(id);
      kept.ended = true;
      if (!(outcome instanceof Error)) {
        resolve(outcome);
        return;
      }
      // An outcome that is unknown is not remembered: the next call with this key asks the node, which knows the key too.
      if (this.kept.get(key) === kept) this.kept.delete(key);
      reject(outcome);
    };
    const timer = this.clock.setTimeout(() => {
      this.tellCancelled(id, invocation.nodeId, node);
      settle(plexusError('TIMEOUT', { message: `the node did not answer within ${timeoutMs} ms` }));
    }, timeoutMs);
    this.pending.set(id, { node, timer, settle });
    this.remember(key, kept);
    node.sendToNode(shareEvent('node.invoke.request', { id, ...invocation, timeoutMs }));
    return kept;
  }

  private cancel(id: string, nodeId: string): void {
    const pending = this.pending.get(id);
    if (pending === undefined) return;
    this.tellCancelled(id, nodeId, pending.node);
    pending.settle(plexusError('CANCELLED', { message: 'nobody waits for the answer any more' }));
  }

  private tellCancelled(invokeId: string, nodeId: string, node: ClientConnection): void {
    node.sendToNode(shareEvent('node.invoke.cancel', { invokeId, nodeId }));
  }

  private recall(key: string): Kept | undefined {
    const kept = this.kept.get(key);
    return kept !== undefined && this.clock.monotonic() - kept.at < REMEMBER_MS ? kept : undefined;
  }

  private remember(key: string, kept: Kept): void {
    this.kept.delete(key);
    this.kept.set(key, kept);
    for (const [oldest, { at, ended }] of this.kept) {
      if (this.kept.size <= REMEMBER_KEYS && this.clock.monotonic() - at < REMEMBER_MS) break;
      if (ended || this.kept.size > REMEMBER_KEYS) this.kept.delete(oldest);
      else break;
    }
  }
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
