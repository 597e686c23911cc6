import { FrameSender, withFack } from './frame-sender.js';

const fill = (sender: FrameSender, count: number): void => {
  for (let i = 0; i < count; i++) sender.offer({ type: 't' });
};
const drain = (sender: FrameSender): number[] => {
  const sent: number[] = [];
  for (let frame = sender.next(); frame; frame = sender.next()) sent.push(frame.fseq);
  return sent;
};

describe('frame sender', () => {
  it('numbers frames from 1 and writes the number into the text', () => {
    const sender = new FrameSender();
    expect(sender.offer({ type: 't', a: 'é' })).toEqual({ fseq: 1, text: '{"type":"t","a":"é","fseq":1}', bytes: 30 });
    expect(sender.offer({ type: 't', fseq: 99 })?.text).toBe('{"type":"t","fseq":2}');
  });

  it('sends nothing without a connection and everything behind the mark with one', () => {
    const sender = new FrameSender();
    fill(sender, 5);
    expect(sender.next()).toBeUndefined();
    expect(sender.connected(2)).toBe('ok');
    expect([sender.acked, drain(sender)]).toEqual([2, [3, 4, 5]]);
    sender.disconnected();
    fill(sender, 1);
    expect(sender.next()).toBeUndefined();
    expect(sender.connected(2)).toBe('ok');
    expect(drain(sender)).toEqual([3, 4, 5, 6]);
  });

  it('releases what is acked, ignores old acks and acks of frames never sent', () => {
    const sender = new FrameSender();
    fill(sender, 10);
    sender.connected(0);
    expect([sender.acknowledge(4), sender.acknowledge(4), sender.acknowledge(2), sender.acknowledge(11)]).toEqual([4, 0, 0, 0]);
    expect([sender.unacked, drain(sender)]).toEqual([6, [5, 6, 7, 8, 9, 10]]);
    expect([sender.acknowledge(10), sender.unackedBytes]).toEqual([6, 0]);
  });

  it('goes back when the peer asks, but not behind what is gone', () => {
    const sender = new FrameSender();
    fill(sender, 5);
    sender.connected(0);
    drain(sender);
    sender.acknowledge(2);
    expect([sender.rewind(4), drain(sender)]).toEqual(['ok', [4, 5]]);
    expect([sender.rewind(2), drain(sender)]).toEqual(['gap', []]);
    expect([sender.rewind(9), drain(sender)]).toEqual(['ok', []]);
  });

  it('does not send again what was acked after it had gone back', () => {
    const sender = new FrameSender();
    fill(sender, 5);
    sender.connected(0);
    drain(sender);
    sender.rewind(1);
    sender.acknowledge(3);
    expect(drain(sender)).toEqual([4, 5]);
  });

  it('refuses frames beyond either bound and reports how full it is', () => {
    const byCount = new FrameSender({ maxFrames: 10 });
    fill(byCount, 8);
    expect(byCount.pressure).toBe(0.8);
    fill(byCount, 2);
    expect(byCount.offer({ type: 't' })).toBeUndefined();
    expect(byCount.sent).toBe(10);

    const byBytes = new FrameSender({ maxBytes: 100 });
    expect(byBytes.offer({ type: 't', data: 'x'.repeat(60) })).toBeDefined();
    expect(byBytes.offer({ type: 't', data: 'x'.repeat(60) })).toBeUndefined();
    expect(byBytes.pressure).toBeGreaterThan(0.8);
  });

  it('notices a peer that lacks what it had acked, or has what was never sent', () => {
    const sender = new FrameSender();
    fill(sender, 3);
    sender.connected(2);
    expect([sender.connected(1), sender.connected(4), sender.connected(3)]).toEqual(['gap', 'ahead', 'ok']);
  });

  it('goes on from a spool', () => {
    const before = new FrameSender();
    fill(before, 6);
    before.connected(2);
    const after = new FrameSender({ acked: 2, unacked: [...before.pending()] });
    after.connected(4);
    expect([after.sent, drain(after), after.offer({ type: 't' })?.fseq]).toEqual([6, [5, 6], 7]);
    expect(() => new FrameSender({ acked: 1, unacked: [...before.pending()] })).toThrow('2');
  });

  it('stays cheap over a million acked frames', () => {
    const sender = new FrameSender();
    sender.connected(0);
    const started = performance.now();
    for (let i = 1; i <= 200_000; i++) {
      sender.offer({ type: 't' });
      sender.next();
      if (i % 32 === 0) sender.acknowledge(i - 16);
    }
    expect(performance.now() - started).toBeLessThan(30_000);
    expect([...sender.pending()]).toHaveLength(16);
  });
});

describe('withFack', () => {
  it('adds the ack without touching the rest', () => {
    expect(JSON.parse(withFack('{"type":"t","data":"}"}', 7))).toEqual({ type: 't', data: '}', fack: 7 });
  });
});
