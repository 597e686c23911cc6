import fc from 'fast-check';
import { FrameReceiver } from './frame-receiver.js';
import { FrameSender, type OutgoingFrame } from './frame-sender.js';

type Step = { do: 'offer' | 'send' | 'ack' | 'cut' | 'move' } | { do: 'arrive' | 'drop' | 'duplicate' | 'complete'; pick: number } | { do: 'wait'; ms: number };

const pick = fc.nat(1_000);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('offer' as const, 'send' as const) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('arrive' as const, 'complete' as const), pick }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('drop' as const, 'duplicate' as const), pick }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('ack' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('cut' as const, 'move' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(3_000) }) },
);

type Message = { frame: OutgoingFrame } | { fack: number } | { nack: number };

/** One direction of a connection over a network that loses, repeats and reorders; `stored` is what the receiving side made durable. */
class Link {
  now = 0;
  offered = 0;
  readonly sender: FrameSender;
  receiver = new FrameReceiver<string>();
  /** Every effect that became durable, in order. Writing the same frame twice is one effect, as a message id makes it. */
  readonly stored = new Set<number>();
  /** Last frame handed out by the receiver that is alive now. */
  private handedOut = 0;
  private processing: number[] = [];
  private toReceiver: Message[] = [];
  private toSender: Message[] = [];

  constructor(maxFrames: number) {
    this.sender = new FrameSender({ maxFrames });
    this.sender.connected(0);
  }

  apply(step: Step): void {
    switch (step.do) {
      case 'offer':
        if (this.sender.offer({ type: 'sse_event', n: this.offered + 1 })) this.offered++;
        return;
      case 'send': {
        const frame = this.sender.next();
        if (frame) this.toReceiver.push({ frame });
        return;
      }
      case 'arrive':
        this.arrive(step.pick);
        return;
      case 'drop':
        this.take(step.pick);
        return;
      case 'duplicate': {
        const message = this.toReceiver[step.pick % Math.max(1, this.toReceiver.length)];
        if (message) this.toReceiver.push(message);
        return;
      }
      case 'complete': {
        const [fseq] = this.processing.splice(step.pick % Math.max(1, this.processing.length), 1);
        if (fseq !== undefined) this.complete(fseq);
        return;
      }
      case 'ack':
        this.ackWhenDue();
        return;
      case 'wait':
        this.now += step.ms;
        this.ackWhenDue();
        if ((this.receiver.gapDueAt ?? Number.POSITIVE_INFINITY) <= this.now) this.reconnect(false);
        return;
      case 'cut':
        this.reconnect(false);
        return;
      case 'move':
        this.reconnect(true);
    }
  }

  private take(choice: number): { message: Message; up: boolean } | undefined {
    const total = this.toReceiver.length + this.toSender.length;
    if (total === 0) return undefined;
    const at = choice % total;
    const up = at < this.toReceiver.length;
    const [message] = up ? this.toReceiver.splice(at, 1) : this.toSender.splice(at - this.toReceiver.length, 1);
    return message && { message, up };
  }

  private arrive(choice: number): void {
    const taken = this.take(choice);
    if (!taken) return;
    const { message } = taken;
    if ('fack' in message) {
      this.sender.acknowledge(message.fack);
    } else if ('nack' in message) {
      this.sender.rewind(message.nack);
    } else {
      const result = this.receiver.receive(message.frame.fseq, message.frame.text, this.now);
      if (result.kind === 'deliver') {
        for (const { fseq, frame } of result.frames) {
          // In order, without a gap and without a repeat, by each receiver.
          if (fseq !== this.handedOut + 1) throw new Error(`frame ${fseq} was handed out after ${this.handedOut}`);
          if (frame !== `{"type":"sse_event","n":${fseq},"fseq":${fseq}}`) throw new Error(`frame ${fseq} came as ${frame}`);
          this.handedOut = fseq;
          this.processing.push(fseq);
        }
      }
      if (result.kind === 'gap' && result.nack !== undefined) this.toSender.push({ nack: result.nack });
    }
  }

  private complete(fseq: number): void {
    this.stored.add(fseq);
    this.receiver.complete(fseq, this.now);
  }

  private ackWhenDue(): void {
    if ((this.receiver.ackDueAt ?? Number.POSITIVE_INFINITY) <= this.now) this.toSender.push({ fack: this.receiver.takeAck() });
  }

  /** The socket is gone. `elsewhere`: the next one ends at another process, which knows only what is durable. */
  private reconnect(elsewhere: boolean): void {
    this.toReceiver = [];
    this.toSender = [];
    this.sender.disconnected();
    if (elsewhere) {
      this.receiver = new FrameReceiver({ durable: this.receiver.durable });
      this.handedOut = this.receiver.durable;
      this.processing = [];
    } else {
      this.receiver.disconnected();
    }
    // What is handed out but not durable is sent again: the same receiver drops it, another one needs it.
    expect(this.sender.connected(this.receiver.durable)).toBe('ok');
  }

  /** A quiet network from here on: everything has to come through. */
  settle(): void {
    this.reconnect(false);
    for (let i = 0; i < 10_000 && this.sender.unacked > 0; i++) {
      this.apply({ do: 'send' });
      this.apply({ do: 'arrive', pick: 0 });
      this.apply({ do: 'complete', pick: 0 });
      this.apply({ do: 'wait', ms: 10 });
    }
  }
}

describe('reliable delivery', () => {
  it('stores every frame, whatever the network loses, repeats, reorders or cuts, and however often the receiver moves', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.array(step, { maxLength: 400, size: 'max' }), (maxFrames, steps) => {
        const link = new Link(maxFrames);
        let checked = 0;
        for (const one of steps) {
          link.apply(one);
          expect(link.sender.unacked).toBeLessThanOrEqual(maxFrames);
          // Only what is stored was ever acked.
          for (; checked < link.sender.acked; checked++) expect(link.stored.has(checked + 1)).toBe(true);
        }
        link.settle();
        expect(link.sender.unacked).toBe(0);
        expect([...link.stored].sort((a, b) => a - b)).toEqual(Array.from({ length: link.offered }, (_, i) => i + 1));
      }),
      { numRuns: 300 },
    );
  });
});
