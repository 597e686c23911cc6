import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { decodeMeshFrame, FrameSender, type OutgoingFrame } from '@plexus/vm-protocol';
import fc from 'fast-check';
import { JournalFile } from '../src/adapters/file/journal-file.js';
import { type CommandFrame, type JournalEntry, JournalState, runKey } from '../src/domain/journal-state.js';
import { fakeMessage, fakeSession } from './support/commands.js';
import { scratchFolder } from './support/runtime-process.js';

let folder: ReturnType<typeof scratchFolder>;

beforeEach(() => {
  folder = scratchFolder();
});
afterEach(() => folder.remove());

interface Opened {
  journal: JournalFile;
  state: JournalState;
  sender: FrameSender;
  warnings: string[];
  write(entry: JournalEntry): void;
  offer(runId: string, runSeq: number, end?: string): void;
}

function open(epoch = 1, at = folder.path): Opened {
  const warnings: string[] = [];
  let state = new JournalState();
  let sender = new FrameSender();
  const journal = JournalFile.open(
    at,
    epoch,
    (_, message) => warnings.push(message),
    (found, unacked) => {
      state = found;
      sender = new FrameSender({ acked: found.acked, unacked });
      return () => sender.pending();
    },
  );
  const write = (entry: JournalEntry): void => {
    state.apply(entry);
    journal.append(entry);
  };
  return {
    journal,
    state,
    sender,
    warnings,
    write,
    offer(runId, runSeq, end) {
      const { fseq, text } = sender.offer({ type: 'sse_event', session_id: 's', data: 'x', run_id: runId, run_seq: runSeq }) as OutgoingFrame;
      write({ k: 'up', fseq, text, sessionId: 's', runId, runSeq, ...(end !== undefined && { end }) });
    },
  };
}

function command(frame: object): CommandFrame {
  const decoded = decodeMeshFrame(JSON.stringify(frame));
  if (!decoded.ok) throw new Error(decoded.error.reason);
  return decoded.value as CommandFrame;
}

const view = ({ state, sender }: Pick<Opened, 'state' | 'sender'>): unknown =>
  JSON.parse(JSON.stringify([[...state.entries()], [...sender.pending()].map((frame) => frame.text), sender.sent]));

describe('journal file', () => {
  it('is read as far as it was synced when a power failure left zeros behind', () => {
    const first = open();
    first.write({ k: 'down', fseq: 1, frame: command(fakeSession('s')) });
    first.write({ k: 'snapshot', sessionId: 's', version: 4, hash: 'h' });
    first.journal.sync();
    const before = view(first);
    first.journal.close();
    const file = path.join(folder.path, 'journal-1.jsonl');
    writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.alloc(4_096)]));
    const again = open();
    expect(view(again)).toEqual(before);
    expect(again.state.snapshots.get('s')).toEqual({ version: 4, hash: 'h' });
    expect(again.warnings).toEqual(['journal ends in an incomplete line']);
    again.journal.close();
    again.journal.sync();
  });

  it('gives back what was written, also after it was opened many times', () => {
    const first = open();
    first.write({ k: 'init' });
    first.write({ k: 'down', fseq: 1, frame: command(fakeSession('s')) });
    first.write({ k: 'down', fseq: 2, frame: command(fakeMessage('s', 'r1', 'hello')) });
    for (let seq = 1; seq <= 5; seq++) first.offer('r1', seq);
    first.sender.connected(2);
    first.write({ k: 'ack', fack: 2 });
    const before = view(first);
    first.journal.close();
    for (let i = 0; i < 3; i++) {
      const again = open();
      expect(view(again)).toEqual(before);
      expect(again.warnings).toEqual([]);
      again.journal.close();
    }
  });

  it('is readable by its owner only', () => {
    open().journal.close();
    expect(statSync(path.join(folder.path, 'journal-1.jsonl')).mode & 0o777).toBe(0o600);
  });

  it('has every complete line when the process died while writing, at any byte', () => {
    const entries = fc.array(fc.constantFrom('message', 'event', 'ack' as const), { minLength: 1, maxLength: 30, size: 'max' });
    fc.assert(
      fc.property(entries, fc.double({ min: 0, max: 1, noNaN: true }), (steps, share) => {
        const at = scratchFolder();
        try {
          const writer = open(1, at.path);
          const file = path.join(at.path, 'journal-1.jsonl');
          const start = statSync(file).size;
          const views = [{ size: start, view: view(writer) }];
          let commands = 0;
          for (const step of steps) {
            if (step === 'message') writer.write({ k: 'down', fseq: ++commands, frame: command(fakeMessage('s', `r${commands}`, 'héllo')) });
            else if (step === 'event') writer.offer(`r${Math.max(1, commands)}`, writer.sender.sent + 1);
            else if (writer.sender.acknowledge(writer.sender.acked + 1) > 0) writer.write({ k: 'ack', fack: writer.sender.acked });
            writer.journal.flush();
            views.push({ size: statSync(file).size, view: view(writer) });
          }
          writer.journal.close();
          const size = Math.round(start + share * (statSync(file).size - start));
          truncateSync(file, size);
          const again = open(1, at.path);
          const expected = views.findLast((one) => one.size <= size + 1);
          expect(view(again)).toEqual(expected?.view);
          again.journal.close();
        } finally {
          at.remove();
        }
      }),
      { numRuns: 60 },
    );
  });

  it('is rewritten when it holds mostly what is settled, and loses nothing by that', () => {
    const writer = open();
    const file = path.join(folder.path, 'journal-1.jsonl');
    writer.sender.connected(0);
    let peak = 0;
    for (let i = 1; i <= 30_000; i++) {
      if (i % 1_000 === 1)
        writer.write({ k: 'down', fseq: Math.ceil(i / 1_000), frame: command(fakeMessage('s', `r${Math.ceil(i / 1_000)}`, 'x'.repeat(100))) });
      writer.offer(`r${Math.ceil(i / 1_000)}`, i, i % 1_000 === 0 ? '{"type":"execution_complete","content":""}' : undefined);
      if (i % 100 === 0) {
        writer.sender.acknowledge(i - 50);
        writer.write({ k: 'ack', fack: i - 50 });
        writer.journal.flush();
        peak = Math.max(peak, statSync(file).size);
        writer.journal.append({ k: 'spool', fseq: 0, text: 'x'.repeat(50_000) });
      }
    }
    writer.journal.flush();
    expect(peak).toBeLessThan(10 * 1024 * 1024);
    expect(peak).toBeGreaterThan(4 * 1024 * 1024);
    const before = view(writer);
    writer.journal.close();
    const again = open();
    expect(view(again)).toEqual(before);
    expect(again.sender.unacked).toBe(50);
    again.journal.close();
  });

  it('begins a new incarnation with what the last one left unfinished, and removes its file', () => {
    const first = open(3);
    first.write({ k: 'init' });
    first.write({ k: 'down', fseq: 1, frame: command(fakeSession('s')) });
    first.write({ k: 'down', fseq: 2, frame: command(fakeMessage('s', 'r1', 'hello')) });
    first.offer('r1', 1);
    first.journal.close();
    writeFileSync(path.join(folder.path, 'journal-2.jsonl'), 'from an older one\n');
    const second = open(7);
    expect(second.state.earlier.get(runKey('s', 'r1'))).toEqual({ sessionId: 's', runId: 'r1', lastSeq: 1 });
    expect([second.state.initialised, second.state.received, second.state.sessions.size, second.sender.sent]).toEqual([false, 0, 0, 0]);
    expect(readdirSync(folder.path)).toEqual(['journal-7.jsonl']);
    second.journal.close();
    const third = open(8);
    expect(third.state.earlier.get(runKey('s', 'r1'))).toEqual({ sessionId: 's', runId: 'r1', lastSeq: 1 });
    third.journal.close();
  });

  it('reads a file whose events and earlier runs do not name their session yet: no run is executed again', () => {
    const end = '{"type":"execution_complete","content":"all"}';
    const text = JSON.stringify({ type: 'sse_event', fseq: 1, session_id: 's', run_id: 'r1', run_seq: 1, data: end });
    const lines = [
      { k: 'init' },
      { k: 'earlier', run: { runId: 'r0', lastSeq: 4 } },
      { k: 'down', fseq: 1, frame: command(fakeMessage('s', 'r1', 'hello')) },
      { k: 'up', fseq: 1, text, runId: 'r1', runSeq: 1, end },
    ];
    writeFileSync(path.join(folder.path, 'journal-1.jsonl'), `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`);
    const { journal, state, sender, warnings } = open();
    expect([...state.openRuns()]).toEqual([]);
    expect(state.runs.get(runKey('s', 'r1'))).toMatchObject({ ended: true, lastSeq: 1 });
    expect([state.earlier.size, sender.unacked]).toEqual([0, 1]);
    expect(warnings).toEqual(['earlier run without a session left out']);
    journal.close();
  });

  it('leaves the file of a higher epoch alone: this process is the stale one', () => {
    open(9).journal.close();
    const stale = readFileSync(path.join(folder.path, 'journal-9.jsonl'), 'utf8');
    open(4).journal.close();
    expect(readFileSync(path.join(folder.path, 'journal-9.jsonl'), 'utf8')).toBe(stale);
  });
});
