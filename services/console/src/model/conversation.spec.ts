import type { ChatEvent } from '@plexus/client-protocol';
import { type ConversationStep, isStop, linesOf, NOTHING_SAID, nextConversation, openRun, openText, type TranscriptMessage } from './conversation.js';

const after = (...steps: ConversationStep[]) => steps.reduce(nextConversation, NOTHING_SAID);
const run = { runId: 'r1', sessionKey: 'agent:main:main', seq: 1 };
const event = (more: Partial<ChatEvent> & { state: ChatEvent['state'] }): ConversationStep => ({ kind: 'event', event: { ...run, ...more } as ChatEvent });
const delta = (deltaText: string, whole?: string) =>
  event({ state: 'delta', deltaText, ...(whole === undefined ? {} : { message: { role: 'assistant', content: whole } }) });
const message = (seq: number, role: 'user' | 'assistant', text: string): TranscriptMessage => ({
  messageId: `m${seq}`,
  seq,
  role,
  text,
  runId: 'r1',
  at: '2026-11-21T10:00:00Z',
});
const say: ConversationStep = { kind: 'say', runId: 'r1', text: 'Hello?' };
const texts = (state: ReturnType<typeof after>) => linesOf(state).map(({ role, text }) => `${role}: ${text}`);

describe('a conversation on the screen', () => {
  it('shows what was said at once and the answer as it is written', () => {
    const state = after(say, delta('Hel'), delta('lo.'));
    expect(texts(state)).toEqual(['user: Hello?', 'assistant: Hello.']);
    expect([openRun(state), openText(state), linesOf(state)[1]?.open]).toEqual(['r1', 'Hello.', true]);
  });

  it('takes the whole text over the pieces, so that a gap leaves no hole', () => {
    expect(texts(after(delta('Hel'), delta('there.', 'Hello there.')))).toEqual(['assistant: Hello there.']);
  });

  it('shows each message once when the transcript has taken it, whatever comes first', () => {
    const history: ConversationStep = { kind: 'history', messages: [message(1, 'user', 'Hello?'), message(2, 'assistant', 'Hello.')] };
    const final = event({ state: 'final', message: { role: 'assistant', content: 'Hello.' } });
    expect(texts(after(say, delta('Hello.'), final, history))).toEqual(['user: Hello?', 'assistant: Hello.']);
    expect(texts(after(say, delta('Hello.'), history, final))).toEqual(['user: Hello?', 'assistant: Hello.']);
  });

  it('keeps what a stopped answer had said, and forgets that it runs', () => {
    const state = after(say, delta('Half an ans'), event({ state: 'aborted' }), delta('wer'));
    expect(linesOf(state)[1]).toMatchObject({ text: 'Half an ans', open: false, label: 'stopped' });
    expect(openRun(state)).toBeUndefined();
    expect(openRun(after(say))).toBe('r1');
  });

  it('says at the message why it was refused, and at the answer why it failed', () => {
    expect(linesOf(after(say, { kind: 'refused', runId: 'r1', failure: 'the queue is full' }))[0]?.failure).toBe('the queue is full');
    expect(linesOf(after(event({ state: 'error', errorMessage: 'no model' })))[0]).toMatchObject({ failure: 'no model', open: false });
  });

  it('shows the files of a message once: those on their way until the transcript has it, and those of a refused one', () => {
    const file = { id: 'f1', name: 'a.txt', blob: new Blob(['x']), picture: false };
    const sent = after({ ...say, text: '', files: [file] } as ConversationStep);
    expect(linesOf(sent)[0]).toMatchObject({ text: '', files: [file], attachments: [] });
    expect(linesOf(nextConversation(sent, { kind: 'refused', runId: 'r1', failure: 'too large' }))[0]).toMatchObject({ files: [file], failure: 'too large' });
    const stored = { attachmentId: 'a1', name: 'a.txt', mimeType: 'text/plain', bytes: 1 };
    const there = nextConversation(sent, { kind: 'history', messages: [{ ...message(1, 'user', 'a.txt'), attachments: [stored] }] });
    expect(linesOf(there)).toEqual([expect.objectContaining({ text: '', files: [], attachments: [stored] })]);
  });

  it('begins anew', () => {
    expect(linesOf(after(say, delta('x'), { kind: 'clear' }))).toEqual([]);
  });

  it('knows what can be stopped before the first piece of an answer, and no longer when it has ended', () => {
    expect(openRun(NOTHING_SAID, 'r1')).toBe('r1');
    expect(openRun(after(event({ state: 'final' })), 'r1')).toBeUndefined();
    expect(openRun(after({ kind: 'history', messages: [message(1, 'user', 'Hello?'), message(2, 'assistant', 'Hello.')] }), 'r1')).toBeUndefined();
    expect(openRun(after(delta('Hel')), 'r0')).toBe('r1');
  });

  it('takes /stop alone for an order', () => {
    expect(['/stop', ' /STOP\n', '/stop it', 'stop', 'say /stop'].map(isStop)).toEqual([true, true, false, false, false]);
  });
});
