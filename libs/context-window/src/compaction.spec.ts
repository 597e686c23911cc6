import { FakeClock } from '@plexus/kernel';
import { type CompactionTools, compact, type Summarise } from './compaction.js';
import { SUMMARY_HEADINGS } from './keepsakes.js';
import type { ContextMessage } from './message.js';

const text = (role: 'user' | 'assistant', words: string): ContextMessage => ({ role, text: words });
const long = (tokens: number, role: 'user' | 'assistant' = 'user'): ContextMessage => ({ role, text: 'x'.repeat((tokens - 4) * 4) });
const FULL = SUMMARY_HEADINGS.join('\n');

class Recorder {
  readonly requests: Parameters<Summarise<ContextMessage>>[0][] = [];
  readonly problems: string[] = [];
  readonly clock = new FakeClock();
  readonly abort = new AbortController();

  tools(answer: (request: Parameters<Summarise<ContextMessage>>[0], n: number) => string | Promise<string>): CompactionTools<ContextMessage> {
    const summarise: Summarise<ContextMessage> = async (request) => {
      this.requests.push(request);
      return answer(request, this.requests.length);
    };
    return { summarise, clock: this.clock, signal: this.abort.signal, onProblem: ({ what }) => void this.problems.push(what) };
  }
}

const input = (messages: ContextMessage[], rest = {}) => ({ messages, tokensBefore: 0, windowTokens: 100_000, ...rest });

describe('compaction', () => {
  let recorder: Recorder;
  beforeEach(() => {
    recorder = new Recorder();
  });
  /** Lets back-offs pass while the compaction runs. */
  const through = async <T>(work: Promise<T>): Promise<T> => {
    let over = false;
    const settled = work.finally(() => {
      over = true;
    });
    settled.catch(() => undefined); // awaited below
    while (!over) await recorder.clock.advance(1_000);
    return settled;
  };

  it('keeps history when there is no model', async () => {
    const { clock, abort } = recorder;
    await expect(compact(input([text('user', 'hi')]), { clock, signal: abort.signal })).resolves.toEqual({ kind: 'cancelled', reason: 'no_model' });
  });

  it('writes an empty boundary when there is nothing real, without asking a model', async () => {
    const tools = recorder.tools(() => FULL);
    const nothing = [
      { role: 'system', text: 'rules' },
      { role: 'user', text: '  ' },
      { role: 'assistant', text: 'note', runtimeOnly: true },
    ] as ContextMessage[];
    await expect(compact(input(nothing), tools)).resolves.toEqual({ kind: 'empty', text: '' });
    expect(recorder.requests).toEqual([]);
  });

  it('builds on the previous summary and keeps last turns, failures, identifiers and rules in their own words', async () => {
    const messages: ContextMessage[] = [
      text('user', 'first'),
      text('assistant', 'one'),
      text('user', 'fix /srv/app/main.ts'),
      { role: 'assistant', text: '', toolCalls: [{ id: '1', name: 'exec' }] },
      { role: 'tool', text: 'exit code 1', toolName: 'exec', toolCallId: '1', toolFailed: true },
      text('assistant', 'it failed'),
    ];
    const result = await compact(
      input(messages, { previousSummary: 'before', workspaceRules: 'Be terse.' }),
      recorder.tools(() => 'SUMMARY'),
      { keepTurns: 1 },
    );
    expect(recorder.requests).toEqual([
      expect.objectContaining({ messages, previousSummary: 'before', instructions: 'Keep these word for word: /srv/app/main.ts' }),
    ]);
    expect(result).toEqual({
      kind: 'summary',
      droppedMessages: 0,
      text: [
        'SUMMARY',
        '## Last turns, word for word\n- user: fix /srv/app/main.ts\n- assistant: it failed',
        '## Tools that failed\n- exec: exit code 1',
        '## Rules of the workspace\nBe terse.',
      ].join('\n\n'),
    });
  });

  it('never shows a summariser what is kept for people only, nor a result whose call is gone', async () => {
    const messages: ContextMessage[] = [
      { role: 'tool', text: 'orphan', toolCallId: 'x' },
      { role: 'assistant', text: 'secret note', runtimeOnly: true },
      text('user', 'hello'),
    ];
    await compact(
      input(messages),
      recorder.tools(() => FULL),
    );
    expect(recorder.requests[0]?.messages).toEqual([text('user', 'hello')]);
  });

  it('halves long histories from four messages up, and chains the halves', async () => {
    const messages = [long(20_000), long(20_000), long(20_000), long(20_000)];
    await compact(
      input(messages),
      recorder.tools((_request, n) => `S${n}`),
    );
    const sizes = recorder.requests.map((request) => request.messages.length);
    expect(sizes.reduce((a, b) => a + b, 0)).toBe(4);
    expect(recorder.requests.map(({ previousSummary }) => previousSummary)).toEqual([undefined, ...sizes.slice(1).map((_, index) => `S${index + 1}`)]);
  });

  it('replaces a message that no summary can take by a note of its size', async () => {
    const result = await compact(
      input([text('user', 'small'), long(50_000)]),
      recorder.tools(() => 'S'),
    );
    expect(recorder.requests.flatMap(({ messages }) => messages)).toEqual([text('user', 'small')]);
    expect(result).toMatchObject({ text: expect.stringContaining('about 50000 tokens was left out') });
  });

  it('drops the oldest halves when new content leaves too little room, and feeds what they said into the summary', async () => {
    const messages = [long(20_000), long(20_000), long(20_000), long(20_000)];
    // Fresh content of more than 60 000 tokens beside 80 000 of history, of which half the window may stay.
    const result = await compact(
      input(messages, { tokensBefore: 141_000 }),
      recorder.tools((_request, n) => `S${n}`),
    );
    expect(result).toMatchObject({ kind: 'summary', droppedMessages: 2 });
    expect(recorder.requests.flatMap((request) => request.messages)).toHaveLength(4);
    const exact = await compact(
      input(messages, { tokensBefore: 140_000 }),
      recorder.tools(() => 'S'),
    );
    expect(exact).toMatchObject({ droppedMessages: 0 });
  });

  it('goes on with the earlier summary when what was dropped cannot be summarised', async () => {
    const messages = [long(20_000), long(20_000), long(20_000), long(20_000)];
    const answer = (request: { messages: readonly ContextMessage[]; previousSummary?: string }, n: number) => {
      if (n <= 3) throw new Error('busy');
      return `after ${request.previousSummary}`;
    };
    const result = await through(compact(input(messages, { tokensBefore: 141_000, previousSummary: 'old' }), recorder.tools(answer)));
    expect(recorder.problems).toEqual(['chunk', 'chunk', 'dropped-history']);
    expect(result).toMatchObject({ text: expect.stringContaining('after old') });
  });

  it('tries three times and fails with the last error', async () => {
    const work = compact(
      input([text('user', 'hi')]),
      recorder.tools((_request, n) => Promise.reject(new Error(`no ${n}`))),
    );
    await expect(through(work)).rejects.toThrow('no 3');
    expect(recorder.requests).toHaveLength(3);
  });

  it('asks no more once the caller has given up', async () => {
    const work = compact(
      input([text('user', 'hi')]),
      recorder.tools(() => {
        recorder.abort.abort();
        throw new Error('cut');
      }),
    );
    await expect(work).rejects.toMatchObject({ name: 'AbortError' });
    expect(recorder.requests).toHaveLength(1);
  });

  it('with the quality guard asks again for what a summary lacks', async () => {
    const answers = ['nothing of it', `${FULL}\nPLEX-42`];
    const result = await compact(
      input([text('user', 'see PLEX-42')]),
      recorder.tools((_request, n) => answers[n - 1] ?? ''),
      { qualityRetries: 1 },
    );
    expect(recorder.requests[1]?.instructions).toContain('lacked: ## Decisions');
    expect(result).toMatchObject({ text: expect.stringContaining('PLEX-42') });
    expect(recorder.problems).toEqual(['quality']);
  });
});
