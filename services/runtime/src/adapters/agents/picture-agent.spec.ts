import { FakeClock } from '@plexus/kernel';
import type { MessageAttachment } from '@plexus/vm-protocol';
import { type Agent, AgentFailure, type ModelPiece, type ShownMessage, type Turn } from '../../application/ports.js';
import { modelMessages } from './model-messages.js';
import { PictureAgent } from './picture-agent.js';

const picture = (id: string, bytes = 10): MessageAttachment => ({
  attachment_id: id,
  name: `${id}.png`,
  mime_type: 'image/png',
  bytes,
  sha256: '0'.repeat(64),
});
const said = (...pictures: MessageAttachment[]): ShownMessage => ({ role: 'user', text: 'look', images: pictures.length, pictures });

function bench(answer: (turn: Turn) => AgentFailure | undefined = () => undefined) {
  const shown: (string[] | undefined)[] = [];
  const inner: Agent = {
    async *run(turn): AsyncGenerator<ModelPiece> {
      shown.push(turn.pictureBytes && [...turn.pictureBytes.keys()]);
      const failure = answer(turn);
      if (failure) throw failure;
      yield { type: 'text', text: 'ok' };
    },
  };
  const files = {
    read: async (_session: string, { attachment_id: id }: MessageAttachment) => (id === 'gone' ? Promise.reject(new Error('gone')) : Buffer.from(id)),
  };
  const agent = new PictureAgent(inner, files, new FakeClock(), () => undefined);
  const ask = async (conversation: readonly ShownMessage[], model = 'm'): Promise<string> => {
    let all = '';
    const turn = { message: 'look', history: [], model, sessionId: 's', conversation };
    for await (const piece of agent.run(turn, new AbortController().signal)) if (piece.type === 'text') all += piece.text;
    return all;
  };
  return { ask, shown };
}

const refusal = (statusCode: number, message = 'no images') =>
  new AgentFailure('MODEL_UNAVAILABLE', message, { cause: Object.assign(new Error(message), { statusCode, responseBody: message }) });

describe('pictures of a conversation', () => {
  it('are shown, the newest ones, as many as go along; those that are gone are left out', async () => {
    const { ask, shown } = bench();
    await ask([said(...Array.from({ length: 10 }, (_, index) => picture(`p${index}`))), said(picture('gone'))]);
    expect(shown).toEqual([['p9', 'p8', 'p7', 'p6', 'p5', 'p4', 'p3']]);
    await ask([said(picture('large', 11 * 1024 * 1024)), said(picture('small', 2 * 1024 * 1024))]);
    expect(shown[1]).toEqual(['small']);
    await ask([{ role: 'user', text: 'no picture' }]);
    expect(shown[2]).toBeUndefined();
  });

  it('are left out for a model that refuses them, from then on at once, and for no other', async () => {
    const { ask, shown } = bench(({ pictureBytes, model }) => (model === 'blind' && pictureBytes?.size ? refusal(400) : undefined));
    expect([await ask([said(picture('a'))], 'blind'), await ask([said(picture('a'))], 'blind'), await ask([said(picture('a'))], 'sees')]).toEqual([
      'ok',
      'ok',
      'ok',
    ]);
    expect(shown).toEqual([['a'], [], [], ['a']]);
  });

  it('that come after one that was refused are shown: a broken picture blinds no model', async () => {
    const { ask, shown } = bench(({ pictureBytes }) => (pictureBytes?.has('broken') ? refusal(400) : undefined));
    await ask([said(picture('broken'))]);
    await ask([said(picture('broken')), said(picture('good'))]);
    expect(shown).toEqual([['broken'], [], ['good']]);
  });

  it.each([
    ['an endpoint that is overloaded', refusal(503, 'overloaded')],
    ['a key that is wrong', refusal(401)],
    ['a conversation that is too long', refusal(400, "This model's maximum context length is 4096 tokens. However, your messages resulted in 9000 tokens.")],
  ])('are not blamed for %s', async (_title, failure) => {
    const { ask, shown } = bench(() => failure);
    await expect(ask([said(picture('a'))])).rejects.toBe(failure);
    expect(shown).toEqual([['a']]);
  });

  it('are parts of their message, and the model is told of those that it is not shown', () => {
    const image = Buffer.from('x');
    expect(modelMessages([said(picture('a'), picture('b'))], new Map([['a', image]]))).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'look\n\n[You are not shown: b.png]' },
          { type: 'image', image, mediaType: 'image/png' },
        ],
      },
    ]);
    expect(modelMessages([said(picture('a'))])).toEqual([{ role: 'user', content: 'look\n\n[You are not shown: a.png]' }]);
  });
});
