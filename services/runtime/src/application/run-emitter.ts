import { isRunEnd, type RuntimeEvent, type Usage } from '@plexus/vm-protocol';
import { TextPieces } from '../domain/text-pieces.js';
import type { Uplink } from './uplink.js';

/** Above this the end carries no text: readers join the chunks, which hold it already. */
const MAX_END_CONTENT_BYTES = 128 * 1024;

export interface EmitterTarget {
  readonly sessionId: string;
  readonly runId: string;
  /** run_seq of the next event. */
  readonly nextSeq: number;
  readonly traceparent?: string;
}

/** Numbers the events of one run and lets exactly one end through. */
export class RunEmitter {
  private nextSeq: number;
  private ended = false;
  private readonly pieces = new TextPieces();
  private readonly thoughts = new TextPieces();
  private readonly said: string[] = [];
  private standing = '';

  constructor(
    private readonly uplink: Uplink,
    private readonly target: EmitterTarget,
  ) {
    this.nextSeq = target.nextSeq;
  }

  get hasEnded(): boolean {
    return this.ended;
  }

  async text(text: string): Promise<void> {
    for (const piece of this.pieces.push(text)) await this.chunk(piece);
  }

  async thinking(text: string): Promise<void> {
    for (const content of this.thoughts.push(text)) await this.emit({ type: 'thinking', stage: 'reasoning', content });
  }

  /** What was said since the last call. From now on it stands: a reset says it again. */
  async turnOver(): Promise<string> {
    for (const piece of this.pieces.flush()) await this.chunk(piece);
    const all = this.said.join('');
    const turn = all.slice(this.standing.length);
    this.standing = all;
    return turn;
  }

  /** What was said in this turn is void. */
  async reset(): Promise<void> {
    this.pieces.reset();
    this.thoughts.reset();
    this.said.length = 0;
    await this.emit({ type: 'text_reset' });
    if (this.standing !== '') await this.text(this.standing);
  }

  /** An event that is not part of the text. Ends have methods of their own: one that comes here is left out. */
  async event(event: RuntimeEvent): Promise<void> {
    if (isRunEnd(event.type)) return;
    if (event.type === 'text_chunk') return this.text(event.content);
    if (event.type === 'text_reset') return this.reset();
    await this.emit(event);
  }

  async complete(outcome: { readonly cancelled?: true; readonly usage?: Usage } = {}): Promise<void> {
    if (this.ended) return;
    for (const piece of this.pieces.flush()) await this.chunk(piece);
    const content = this.said.join('');
    const fits = Buffer.byteLength(content) <= MAX_END_CONTENT_BYTES;
    await this.emit({ type: 'execution_complete', ...(fits && { content }), ...outcome });
  }

  fail(code: string, error: string): Promise<void> {
    return this.emit({ type: 'execution_error', code, error });
  }

  /** Sends an end that was made by an earlier incarnation, as it was. */
  async repeatEnd(data: string): Promise<void> {
    await this.emitSerialised(data, true);
  }

  private async chunk(content: string): Promise<void> {
    this.said.push(content);
    await this.emit({ type: 'text_chunk', content });
  }

  private emit(event: RuntimeEvent): Promise<void> {
    return this.emitSerialised(JSON.stringify(event), event.type === 'execution_complete' || event.type === 'execution_error');
  }

  private async emitSerialised(data: string, ends: boolean): Promise<void> {
    if (this.ended) return;
    this.ended = ends;
    const { sessionId, runId, traceparent } = this.target;
    await this.uplink.send({ sessionId, runId, runSeq: this.nextSeq++, data, ends, traceparent });
  }
}
