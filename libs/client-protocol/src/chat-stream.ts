import { type ChatEvent, type ChatMessage, messageText } from './events.js';
import { GatewayError } from './gateway-error.js';

/** One step of an answer. `text` of a delta is what is new; with `replace` it stands for everything said before. */
export type ChatPiece =
  | { readonly type: 'delta'; readonly runId: string; readonly text: string; readonly replace: boolean }
  | { readonly type: 'final'; readonly runId: string; readonly text: string; readonly message?: ChatMessage; readonly usage?: Record<string, unknown> }
  | { readonly type: 'aborted'; readonly runId: string; readonly text: string };

/**
 * The answer to one message, as an async iterator: deltas, then exactly one `final` or `aborted`, or an error thrown.
 * Deltas that nobody has taken yet are joined, so that a slow reader costs no memory. What was missed while the connection was away is
 * made up for from the cumulative message of the next delta, or from the end.
 */
export class ChatStream implements AsyncIterableIterator<ChatPiece> {
  private said = '';
  private delta: { text: string; replace: boolean } | undefined;
  private end: ChatPiece | GatewayError | undefined;
  private readonly waiting: (() => void)[] = [];
  private taken = false;

  constructor(
    readonly runId: string,
    private readonly onSettled: () => void,
  ) {}

  /** True until the end is known. */
  get open(): boolean {
    return this.end === undefined;
  }

  /** What has been said so far. */
  get text(): string {
    return this.said;
  }

  /** Takes a `chat` event of this run. */
  accept(event: ChatEvent): void {
    if (!this.open) return;
    switch (event.state) {
      case 'delta':
        this.acceptDelta(event);
        return;
      case 'final':
        this.finish(this.finalPiece(event.message, event.usage));
        return;
      case 'aborted':
        this.finish({ type: 'aborted', runId: this.runId, text: event.message === undefined ? this.said : messageText(event.message) });
        return;
      case 'error':
        this.fail(runFailed(event.errorMessage ?? 'the run failed', event.errorKind));
        return;
      default:
    }
  }

  /** The run is known to have ended well; `message` is its answer where the server sent it along. */
  complete(message: ChatMessage | undefined): void {
    this.finish(this.finalPiece(message, undefined));
  }

  /** The run is known to have been cancelled. */
  abort(): void {
    this.finish({ type: 'aborted', runId: this.runId, text: this.said });
  }

  fail(error: GatewayError): void {
    this.finish(error);
  }

  async next(): Promise<IteratorResult<ChatPiece>> {
    while (this.delta === undefined && this.open) {
      await new Promise<void>((resolve) => {
        this.waiting.push(resolve);
      });
    }
    if (this.delta !== undefined) {
      const value: ChatPiece = { type: 'delta', runId: this.runId, ...this.delta };
      this.delta = undefined;
      return { done: false, value };
    }
    if (this.taken || this.end === undefined) return { done: true, value: undefined };
    this.taken = true;
    if (this.end instanceof GatewayError) throw this.end;
    return { done: false, value: this.end };
  }

  /** Stops listening. The run goes on: `chat.abort` is what ends it. */
  async return(): Promise<IteratorResult<ChatPiece>> {
    this.delta = undefined;
    this.taken = true;
    if (this.open) this.finish({ type: 'aborted', runId: this.runId, text: this.said });
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private acceptDelta(event: Extract<ChatEvent, { state: 'delta' }>): void {
    const before = this.said;
    if (event.replace === true) this.said = event.deltaText;
    else this.said = event.message === undefined ? before + event.deltaText : messageText(event.message);
    const continues = event.replace !== true && this.said.startsWith(before);
    if (continues && this.said.length === before.length) return;
    const text = continues ? this.said.slice(before.length) : this.said;
    this.delta = continues && this.delta !== undefined ? { text: this.delta.text + text, replace: this.delta.replace } : { text, replace: !continues };
    this.notify();
  }

  private finalPiece(message: ChatMessage | undefined, usage: Record<string, unknown> | undefined): ChatPiece {
    const text = message === undefined ? this.said : messageText(message);
    return { type: 'final', runId: this.runId, text, ...(message === undefined ? {} : { message }), ...(usage === undefined ? {} : { usage }) };
  }

  private finish(end: ChatPiece | GatewayError): void {
    if (!this.open) return;
    this.end = end;
    this.onSettled();
    this.notify();
  }

  private notify(): void {
    for (const wake of this.waiting.splice(0)) wake();
  }
}

/** The error that a stream ends with when the run itself failed. */
export function runFailed(message: string, kind: string | undefined): GatewayError {
  return new GatewayError({ code: 'UNAVAILABLE', message, details: { code: 'RUN_FAILED', ...(kind === undefined ? {} : { errorKind: kind }) } });
}
