import { FrameReceiver } from './frame-receiver.js';

const deliver = (receiver: FrameReceiver<string>, ...numbers: number[]): void => {
  for (const fseq of numbers) receiver.receive(fseq, `f${fseq}`, 0);
};

describe('frame receiver', () => {
  it('holds what came too early and hands it out in order', () => {
    const receiver = new FrameReceiver<string>();
    expect(receiver.receive(3, 'c', 0)).toEqual({ kind: 'gap', nack: 1 });
    expect(receiver.receive(2, 'b', 0)).toEqual({ kind: 'gap' });
    expect(receiver.receive(1, 'a', 0)).toEqual({
      kind: 'deliver',
      frames: [
        { fseq: 1, frame: 'a' },
        { fseq: 2, frame: 'b' },
        { fseq: 3, frame: 'c' },
      ],
    });
    expect([receiver.received, receiver.holding, receiver.gapDueAt]).toEqual([3, 0, undefined]);
  });

  it('asks once per gap, and again for the next one', () => {
    const receiver = new FrameReceiver<string>();
    expect(receiver.receive(2, 'b', 0)).toEqual({ kind: 'gap', nack: 1 });
    expect(receiver.receive(5, 'e', 0)).toEqual({ kind: 'gap' });
    deliver(receiver, 1);
    expect(receiver.received).toBe(2);
    expect(receiver.receive(6, 'f', 0)).toEqual({ kind: 'gap', nack: 3 });
  });

  it('says when a gap has lasted too long', () => {
    const receiver = new FrameReceiver<string>({ gapMs: 2_000 });
    receiver.receive(2, 'b', 100);
    receiver.receive(3, 'c', 900);
    expect(receiver.gapDueAt).toBe(2_100);
    receiver.disconnected();
    expect([receiver.gapDueAt, receiver.holding]).toEqual([undefined, 0]);
  });

  it('holds a bounded number of frames and leaves the rest to the replay', () => {
    const receiver = new FrameReceiver<string>({ holdFrames: 3 });
    for (let fseq = 2; fseq <= 10; fseq++) receiver.receive(fseq, 'x', 0);
    expect(receiver.holding).toBe(3);
    deliver(receiver, 1);
    expect(receiver.received).toBe(4);
    deliver(receiver, 5, 6);
    expect(receiver.received).toBe(6);
  });

  it('acks only what is durable, in whatever order it became so', () => {
    const receiver = new FrameReceiver<string>();
    deliver(receiver, 1, 2, 3);
    expect(receiver.ackDueAt).toBeUndefined();
    expect(receiver.complete(3, 10)).toBe(false);
    expect(receiver.complete(2, 20)).toBe(false);
    expect([receiver.durable, receiver.ackDueAt]).toEqual([0, undefined]);
    expect(receiver.complete(1, 30)).toBe(true);
    expect([receiver.durable, receiver.ackDueAt]).toEqual([3, 230]);
    expect(receiver.takeAck()).toBe(3);
    expect(receiver.ackDueAt).toBeUndefined();
  });

  it('ignores the completion of a frame that was never delivered', () => {
    const receiver = new FrameReceiver<string>();
    expect(receiver.complete(1, 0)).toBe(false);
    deliver(receiver, 1);
    expect(receiver.durable).toBe(0);
  });

  it('has an ack due at once after 32 frames', () => {
    const receiver = new FrameReceiver<string>();
    for (let fseq = 1; fseq <= 32; fseq++) {
      deliver(receiver, fseq);
      receiver.complete(fseq, 1_000);
      if (fseq === 31) expect(receiver.ackDueAt).toBe(1_200);
    }
    expect(receiver.ackDueAt as number).toBeLessThanOrEqual(1_000);
  });

  it('has an ack due at once when a durable frame comes again, but not for one in processing', () => {
    const receiver = new FrameReceiver<string>();
    deliver(receiver, 1, 2);
    receiver.complete(1, 0);
    receiver.takeAck();
    expect(receiver.receive(2, 'b', 50)).toEqual({ kind: 'duplicate' });
    expect(receiver.ackDueAt).toBeUndefined();
    expect(receiver.receive(1, 'a', 50)).toEqual({ kind: 'duplicate' });
    expect(receiver.ackDueAt as number).toBeLessThanOrEqual(50);
    expect(receiver.takeAck()).toBe(1);
  });

  it('goes on where an earlier connection left off', () => {
    const receiver = new FrameReceiver<string>({ durable: 41 });
    expect(receiver.receive(41, 'old', 0).kind).toBe('duplicate');
    expect(receiver.receive(42, 'new', 0).kind).toBe('deliver');
  });
});
