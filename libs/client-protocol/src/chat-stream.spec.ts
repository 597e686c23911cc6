import fc from 'fast-check';
import { type ChatPiece, ChatStream } from './chat-stream.js';
import { type ChatEvent, textMessage } from './events.js';
import { GatewayError } from './gateway-error.js';

const base = { runId: 'r', sessionKey: 'agent:main:main', seq: 1 };
const delta = (deltaText: string, cumulative?: string): ChatEvent => ({
  ...base,
  state: 'delta',
  deltaText,
  ...(cumulative === undefined ? {} : { message: textMessage('assistant', cumulative, 0) }),
});

async function collect(stream: ChatStream): Promise<ChatPiece[]> {
  const pieces: ChatPiece[] = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}

/** What a screen shows after these pieces. */
function shown(pieces: readonly ChatPiece[]): string {
  return pieces.reduce((text, piece) => (piece.type === 'delta' && !piece.replace ? text + piece.text : piece.text), '');
}

describe('ChatStream', () => {
  it('yields deltas and then exactly one final', async () => {
    const stream = new ChatStream('r', () => undefined);
    const pieces = collect(stream);
    stream.accept(delta('Hel'));
    await Promise.resolve();
    stream.accept(delta('lo'));
    stream.accept({ ...base, state: 'final' });
    stream.accept(delta('late'));
    const got = await pieces;
    expect(shown(got)).toBe('Hello');
    expect(got.at(-1)).toEqual({ type: 'final', runId: 'r', text: 'Hello' });
  });

  it('makes up for deltas that were missed, from the cumulative message', async () => {
    const stream = new ChatStream('r', () => undefined);
    stream.accept(delta('Hel', 'Hel'));
    stream.accept(delta('!', 'Hello, world!'));
    stream.accept({ ...base, state: 'final' });
    expect(shown(await collect(stream))).toBe('Hello, world!');
  });

  it('voids what was said when the server replaces it', async () => {
    const stream = new ChatStream('r', () => undefined);
    stream.accept(delta('wrong', 'wrong'));
    stream.accept({ ...base, state: 'delta', deltaText: '', replace: true });
    stream.accept(delta('right', 'right'));
    stream.accept({ ...base, state: 'final' });
    expect(shown(await collect(stream))).toBe('right');
  });

  it('throws the error of a failed run, behind what was said', async () => {
    const stream = new ChatStream('r', () => undefined);
    stream.accept(delta('half'));
    stream.accept({ ...base, state: 'error', errorMessage: 'the model is gone', errorKind: 'unknown' });
    expect((await stream.next()).value).toMatchObject({ type: 'delta', text: 'half' });
    await expect(stream.next()).rejects.toThrow(GatewayError);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  it('keeps at most one waiting delta however slow the reader is', async () => {
    const stream = new ChatStream('r', () => undefined);
    for (let index = 0; index < 1_000; index += 1) stream.accept(delta('x'));
    expect((await stream.next()).value).toMatchObject({ type: 'delta', text: 'x'.repeat(1_000) });
  });

  it('property: whatever is lost, joined or read late, the end shows the whole text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.string({ maxLength: 4 }), fc.boolean(), fc.boolean()), { maxLength: 30 }), async (parts) => {
        const stream = new ChatStream('r', () => undefined);
        const pieces: ChatPiece[] = [];
        let said = '';
        for (const [text, lost, read] of parts) {
          said += text;
          if (!lost) stream.accept(delta(text, said));
          if (read && !lost && stream.text !== shown(pieces)) pieces.push((await stream.next()).value as ChatPiece);
        }
        stream.accept({ ...base, state: 'final', message: textMessage('assistant', said, 0) });
        pieces.push(...(await collect(stream)));
        expect(shown(pieces)).toBe(said);
      }),
    );
  });
});
