import fc from 'fast-check';
import { createLogger } from './create-logger.js';
import { LogTail } from './log-tail.js';

const all = { limit: 1_000, maxBytes: 1_000_000 };

describe('the tail of a log', () => {
  it('gives the newest lines, then what came since', () => {
    const tail = new LogTail();
    for (const line of ['one\n', 'two\n', 'three\n']) tail.note(line);
    const first = tail.read({ ...all, limit: 2 });
    expect(first).toMatchObject({ lines: ['two', 'three'], truncated: true, reset: false });
    expect(tail.read({ ...all, cursor: first.cursor })).toMatchObject({ lines: [], truncated: false, reset: false, cursor: first.cursor });
    tail.note('four\n');
    tail.note('five\n');
    const next = tail.read({ ...all, limit: 1, cursor: first.cursor });
    expect(next).toMatchObject({ lines: ['four'], truncated: true });
    expect(tail.read({ ...all, cursor: next.cursor }).lines).toEqual(['five']);
  });

  it('says when lines are gone, and begins anew for a cursor of another process', () => {
    const tail = new LogTail(20);
    tail.note('0123456789');
    const { cursor } = tail.read(all);
    for (const line of ['aaaaaaaaaa', 'bbbbbbbbbb', 'cccccccccc']) tail.note(line);
    expect(tail.read({ ...all, cursor })).toMatchObject({ lines: ['cccccccccc'], reset: true });
    expect(tail.read({ ...all, cursor: 10_000_000 })).toMatchObject({ lines: ['cccccccccc'], reset: true });
  });

  it('whoever reads on with the cursor gets each kept line once, in order, and memory stays bounded', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string({ maxLength: 30 }).map((text) => text.replaceAll('\n', ' ')),
          { maxLength: 60 },
        ),
        fc.integer({ min: 1, max: 7 }),
        (lines, limit) => {
          const tail = new LogTail(100_000);
          let { cursor } = tail.read(all);
          const seen: string[] = [];
          for (const [index, line] of lines.entries()) {
            tail.note(`${line}\n`);
            if (index % 3 === 0) continue;
            const page = tail.read({ cursor, limit, maxBytes: 50 });
            seen.push(...page.lines);
            cursor = page.cursor;
          }
          for (let page = tail.read({ cursor, limit, maxBytes: 50 }); page.lines.length > 0; page = tail.read({ cursor, limit, maxBytes: 50 })) {
            seen.push(...page.lines);
            cursor = page.cursor;
          }
          expect(seen).toEqual(lines);
          const small = new LogTail(64);
          for (const line of lines) small.note(line);
          expect(small.read(all).size).toBeLessThanOrEqual(Math.max(64, ...lines.map((line) => Buffer.byteLength(line) + 1)));
        },
      ),
    );
  });

  it('keeps what a logger writes, as it was written', () => {
    const tail = new LogTail();
    const written: string[] = [];
    const log = createLogger({ service: 's', instanceId: 's-1', level: 'info', tail, destination: { write: (line) => void written.push(line) } });
    log.info({ token: 'secret' }, 'hello');
    log.debug('not this');
    expect(tail.read(all).lines).toEqual(written.map((line) => line.trimEnd()));
    expect(tail.read(all).lines[0]).not.toContain('"secret"');
  });
});
