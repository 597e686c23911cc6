import { eventRow } from './event-tail.js';
import { mergeItems } from './inbox-list.js';
import { diffRows } from './line-diff.js';
import { highlight, scoreBars } from './score-bars.js';
import { segmentsOf } from './timeline.js';
import { lineOfProblem } from './yaml-problem.js';

describe('an inbox list', () => {
  it('has each item once, newest first, and the newer answer wins', () => {
    const merged = mergeItems(
      [
        { offset: 3, state: 'read' },
        { offset: 2, state: 'new' },
      ],
      [
        { offset: 2, state: 'seen' },
        { offset: 1, state: 'done' },
      ],
    );
    expect(merged).toEqual([
      { offset: 3, state: 'read' },
      { offset: 2, state: 'new' },
      { offset: 1, state: 'done' },
    ]);
  });
});

describe('the differences of two texts', () => {
  it('are the changed lines with a few around them', () => {
    const lines = Array.from({ length: 20 }, (_, index) => `line ${index}`);
    const rows = diffRows(lines.join('\n'), lines.map((line) => (line === 'line 10' ? 'changed' : line)).join('\n'), 1);
    expect(rows.map(({ kind, text }) => `${kind} ${text}`)).toEqual(['gap …', 'same line 9', 'removed line 10', 'added changed', 'same line 11', 'gap …']);
  });

  it('are nothing for equal texts, whether or not they end with a line break', () => {
    expect(diffRows('a\nb', 'a\nb\n')).toEqual([]);
    expect(diffRows('', 'a').map(({ kind, text }) => [kind, text])).toEqual([['added', 'a']]);
  });
});

describe('a line of the event tail', () => {
  it('says what happened, where, and leaves heartbeats out', () => {
    const at = '2026-11-21T10:00:00Z';
    expect(eventRow(1, 'tick', {}, at)).toBeUndefined();
    expect(eventRow(2, 'chat', { state: 'delta', deltaText: 'Hi', sessionKey: 'agent:main:main' }, at)).toMatchObject({
      name: 'chat delta',
      family: 'chat',
      session: 'agent:main:main',
      text: 'Hi',
    });
    expect(eventRow(3, 'agent', { stream: 'tool', data: { name: 'bash' } }, at)).toMatchObject({ name: 'agent tool', text: '{"name":"bash"}' });
    expect(eventRow(4, 'inbox.item', { title: 'Import finished' }, at)).toMatchObject({ family: 'inbox', text: 'Import finished' });
    expect(eventRow(5, 'odd', undefined, at)).toMatchObject({ family: 'other', text: '{}' });
  });
});

describe('where a score comes from', () => {
  it('shows only signals that counted, weighted as they count', () => {
    const parts = { lex: 0.5, sem: null, cos: null, floor: null, decay: null, importance: null };
    expect(scoreBars(0.4, parts)).toEqual([
      { name: 'words', value: 0.4 },
      { name: 'score', value: 0.4 },
    ]);
    expect(scoreBars(0.7, { ...parts, sem: 0.5, decay: 1 }).map(({ name }) => name)).toEqual(['words', 'meaning', 'decay', 'score']);
  });

  it('marks the words that were found, whatever their case and whatever stands in them', () => {
    expect(
      highlight('A Database (v2).', ['database', '(v2)'])
        .map(({ text, hit }) => (hit ? `[${text}]` : text))
        .join(''),
    ).toBe('A [Database] [(v2)].');
    expect(highlight('用户数据库', ['数据']).map(({ hit }) => hit)).toEqual([false, true, false]);
    expect(highlight('nothing', [])).toHaveLength(1);
  });
});

describe('the life of a VM', () => {
  it('is stretches without gaps from its first change until now, the short ones visible, too', () => {
    const step = (from: string, to: string, at: number) => ({ from, to, cause: 'x', epoch: 1, at: new Date(at).toISOString() });
    const segments = segmentsOf([step('booting', 'ready', 2_000), step('requested', 'booting', 1_000), step('none', 'requested', 999)], 1_000_000);
    expect(segments.map(({ state }) => state)).toEqual(['requested', 'booting', 'ready']);
    expect(segments[0]?.from).toBe(0);
    expect(segments.at(-1)?.to).toBeCloseTo(1);
    expect(segments.every(({ from, to }) => to - from > 0.01)).toBe(true);
    expect(segments.slice(1).every((segment, index) => segment.from === segments[index]?.to)).toBe(true);
  });

  it('of a VM without changes is empty', () => {
    expect(segmentsOf([], 0)).toEqual([]);
  });
});

describe('where a text is wrong', () => {
  it('is the line that the message names', () => {
    expect(lineOfProblem(new Error('bad indentation at line 4, column 2'))?.line).toBe(4);
    expect(lineOfProblem(new Error('duplicate key (3:1)'))?.line).toBe(3);
    expect(lineOfProblem(new Error('something else'))).toBeUndefined();
    expect(lineOfProblem('no error')).toBeUndefined();
  });
});
