import { FrameSender } from '@plexus/vm-protocol';
import { type JournalEntry, JournalState } from '../domain/journal-state.js';
import { Uplink } from './uplink.js';

function uplinkOf(maxFrames: number): { uplink: Uplink; sender: FrameSender; written: JournalEntry[]; send: (seq: number) => Promise<void> } {
  const sender = new FrameSender({ maxFrames });
  const written: JournalEntry[] = [];
  const uplink = new Uplink(sender, { append: (entry) => void written.push(entry), flush: () => undefined }, new JournalState());
  sender.connected(0);
  return { uplink, sender, written, send: (runSeq) => uplink.send({ sessionId: 's', runId: 'r', runSeq, data: '{}', ends: false }) };
}

describe('uplink', () => {
  it('makes producers wait from 80 % on until the mesh has taken enough', async () => {
    const { uplink, send } = uplinkOf(10);
    for (let seq = 1; seq <= 8; seq++) await send(seq);
    let free = false;
    const room = uplink.room(new AbortController().signal).then(() => {
      free = true;
    });
    uplink.acknowledge(0);
    await Promise.resolve();
    expect(free).toBe(false);
    uplink.acknowledge(1);
    await room;
    expect(free).toBe(true);
  });

  it('lets a waiting producer give up', async () => {
    const { uplink, send } = uplinkOf(1);
    await send(1);
    const controller = new AbortController();
    const room = uplink.room(controller.signal);
    controller.abort();
    await expect(room).rejects.toMatchObject({ name: 'AbortError' });
    await expect(uplink.room(controller.signal)).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('drops no event when the buffer is completely full: it goes out when there is room, in order', async () => {
    const { uplink, sender, send } = uplinkOf(2);
    await send(1);
    await send(2);
    const late = Promise.all([send(3), send(4)]);
    expect(sender.sent).toBe(2);
    uplink.acknowledge(1);
    await Promise.resolve();
    uplink.acknowledge(2);
    uplink.acknowledge(3);
    await late;
    expect([...sender.pending()].map((frame) => JSON.parse(frame.text).run_seq)).toEqual([4]);
  });

  it('writes each event to the journal before it tells the connection', async () => {
    const { uplink, written, send } = uplinkOf(10);
    let writtenBefore = 0;
    uplink.onFrame = () => {
      writtenBefore = written.length;
    };
    await send(1);
    expect(writtenBefore).toBe(1);
    expect(written[0]).toMatchObject({ k: 'up', fseq: 1, sessionId: 's', runId: 'r', runSeq: 1 });
  });
});
