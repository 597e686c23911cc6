import { closeSync, fdatasyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { FatalError } from '@plexus/kernel';
import type { OutgoingFrame } from '@plexus/vm-protocol/link';
import type { Journal, Log } from '../../application/ports.js';
import { type EarlierRun, type JournalEntry, JournalState } from '../../domain/journal-state.js';

const NAME = /^journal-(\d{1,15})\.jsonl$/;
/** The file is rewritten when it has grown by this much and holds mostly what is settled. */
const REWRITE_AFTER_BYTES = 8 * 1024 * 1024;
const REWRITE_GROWTH = 4;

interface Folded {
  readonly state: JournalState;
  readonly spool: OutgoingFrame[];
}

/**
 * The append-only journal of one incarnation: commands before they are acked, uplink frames before they are sent. One file per epoch; a
 * new epoch takes over what the last one left unfinished and removes its file. Survives the death of the process at any moment; a power failure
 * only as far as `sync` was called: after one the whole VM is a new incarnation and the mesh hands its runs over again.
 */
export class JournalFile implements Journal {
  private lines: string[] = [];
  private scheduled: NodeJS.Immediate | undefined;
  private written: number;
  private rewrittenSize: number;
  private closed = false;

  private constructor(
    private readonly file: string,
    private fd: number,
    size: number,
    private readonly state: JournalState,
    private readonly pending: () => Iterable<OutgoingFrame>,
  ) {
    this.written = size;
    this.rewrittenSize = size;
  }

  /**
   * Opens the journal of an epoch in a folder. `attach` receives what the file held and returns the frames that wait for an ack at any
   * later time. Throws `FatalError` when the folder cannot be used.
   */
  static open(folder: string, epoch: number, log: Log, attach: (state: JournalState, spool: OutgoingFrame[]) => () => Iterable<OutgoingFrame>): JournalFile {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const file = path.join(folder, `journal-${epoch}.jsonl`);
      const epochs = readdirSync(folder)
        .map((name) => Number(NAME.exec(name)?.[1]))
        .filter((one) => one <= epoch)
        .sort((a, b) => b - a);
      const newest = epochs[0];
      const found = newest === undefined ? { state: new JournalState(), spool: [] } : fold(path.join(folder, `journal-${newest}.jsonl`), log);
      const { state, spool } = newest === epoch ? found : { state: successor(found.state), spool: [] };
      const pending = attach(state, spool);
      const { fd, size } = rewrite(file, state, pending());
      for (const old of epochs) if (old !== epoch) rmSync(path.join(folder, `journal-${old}.jsonl`), { force: true });
      return new JournalFile(file, fd, size, state, pending);
    } catch (error) {
      throw new FatalError(`the journal in ${folder} cannot be used: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }

  append(entry: JournalEntry): void {
    if (this.closed) return;
    this.lines.push(`${JSON.stringify(entry)}\n`);
    this.scheduled ??= setImmediate(() => this.flush());
  }

  flush(): void {
    clearImmediate(this.scheduled);
    this.scheduled = undefined;
    if (this.lines.length === 0 || this.closed) return;
    const text = Buffer.from(this.lines.join(''));
    this.lines = [];
    try {
      for (let at = 0; at < text.length; ) at += writeSync(this.fd, text, at);
      this.written += text.length;
      if (this.written - this.rewrittenSize > REWRITE_AFTER_BYTES && this.written > this.rewrittenSize * REWRITE_GROWTH) this.rewriteNow();
    } catch (error) {
      // Nothing may be acked or sent any more that is not written: the process has to end.
      throw new FatalError(`the journal cannot be written: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }

  sync(): void {
    this.flush();
    if (this.closed) return;
    try {
      fdatasyncSync(this.fd);
    } catch (error) {
      throw new FatalError(`the journal cannot be synced: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }

  close(): void {
    if (this.closed) return;
    this.flush();
    this.closed = true;
    closeSync(this.fd);
  }

  private rewriteNow(): void {
    const { fd, size } = rewrite(this.file, this.state, this.pending());
    closeSync(this.fd);
    this.fd = fd;
    this.written = size;
    this.rewrittenSize = size;
  }
}

/** Writes the shortest journal of a state beside the old one and puts it in its place; returns it open for appending. */
function rewrite(file: string, state: JournalState, pending: Iterable<OutgoingFrame>): { fd: number; size: number } {
  const lines: string[] = [];
  for (const entry of state.entries()) lines.push(JSON.stringify(entry));
  for (const { fseq, text } of pending) lines.push(JSON.stringify({ k: 'spool', fseq, text } satisfies JournalEntry));
  const text = Buffer.from(`${lines.join('\n')}\n`);
  const temporary = `${file}.new`;
  const fd = openSync(temporary, 'w', 0o600);
  for (let at = 0; at < text.length; ) at += writeSync(fd, text, at);
  renameSync(temporary, file);
  return { fd, size: text.length };
}

function successor(before: JournalState): JournalState {
  const state = new JournalState();
  for (const entry of before.legacy()) state.apply(entry);
  return state;
}

/** An entry as it may be in a file: before runs were told apart by session, `up` and `earlier` did not name theirs. */
type Written = JournalEntry | Omit<UpEntry, 'sessionId'> | { readonly k: 'earlier'; readonly run: Omit<EarlierRun, 'sessionId'> };
type UpEntry = Extract<JournalEntry, { k: 'up' }>;

/** The frame of an event names its session. What an earlier incarnation left does not: undefined, the mesh's resume says where to go on. */
function withSession(entry: Written): JournalEntry | undefined {
  if (entry.k === 'up') return 'sessionId' in entry ? entry : { ...entry, sessionId: (JSON.parse(entry.text) as { session_id: string }).session_id };
  if (entry.k === 'earlier') return 'sessionId' in entry.run ? { ...entry, run: entry.run } : undefined;
  return entry;
}

function fold(file: string, log: Log): Folded {
  const state = new JournalState();
  const spool: OutgoingFrame[] = [];
  const lines = readFileSync(file, 'utf8').split('\n');
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    let entry: Written;
    try {
      entry = JSON.parse(line) as Written;
    } catch {
      // The process died while it wrote this line, so nothing in it was acked or sent.
      log('warn', 'journal ends in an incomplete line', { line: index + 1, of: lines.length, bytes: line.length });
      break;
    }
    const known = withSession(entry);
    if (known) state.apply(known);
    else log('warn', 'earlier run without a session left out', { line: index + 1 });
    if (entry.k === 'up' || entry.k === 'spool') spool.push({ fseq: entry.fseq, text: entry.text, bytes: Buffer.byteLength(entry.text) });
  }
  return { state, spool: spool.filter((frame) => frame.fseq > state.acked) };
}
