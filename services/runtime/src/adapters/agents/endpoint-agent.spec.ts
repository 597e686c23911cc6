import { sealBox } from '@plexus/vm-protocol';
import type { Agent, Turn } from '../../application/ports.js';
import { EndpointAgent, type OpenedEndpoint } from './endpoint-agent.js';

const vm = { vmId: 'vm-1', epoch: 2 };
const address = { ...vm, purpose: 'model-endpoint', name: 's/r/acme' };
const says = (text: string): Agent => ({
  async *run() {
    yield { type: 'text', text };
  },
});

async function answer(turn: Partial<Turn>): Promise<{ text: string; asked: OpenedEndpoint[] }> {
  const asked: OpenedEndpoint[] = [];
  const at = (endpoint: OpenedEndpoint): Agent => {
    asked.push(endpoint);
    return says('endpoint');
  };
  const agent = new EndpointAgent({ ...vm, bootstrapSecret: 'new', without: says('default'), at });
  let text = '';
  for await (const piece of agent.run({ message: 'hi', history: [], model: 'large', ...turn }, new AbortController().signal)) {
    if (piece.type === 'text') text += piece.text;
  }
  return { text, asked };
}

describe('the endpoint that a run brings', () => {
  const box = (secret: string, more: object = {}) => sealBox(secret, { ...address, ...more }, JSON.stringify({ baseUrl: 'http://acme/v1', apiKey: 'k' }));
  const offer = (more: object) => ({ endpoint: { offer: { provider: 'acme', ...more }, boxName: 's/r/acme' } });

  it('is opened and asked, whichever of the boxes this machine has the secret of', async () => {
    expect(await answer(offer({ sealed: [box('old'), box('new')] }))).toEqual({
      text: 'endpoint',
      asked: [{ provider: 'acme', model: 'large', baseUrl: 'http://acme/v1', apiKey: 'k' }],
    });
  });

  it('is that of the machine where the run brings none', async () => {
    expect((await answer({})).text).toBe('default');
    expect((await answer(offer({}))).text).toBe('default');
  });

  it('ends the run with the reason when there is one, when the box is for another run, and when no model is named', async () => {
    await expect(answer(offer({ fault: { code: 'MODEL_KEY_UNAVAILABLE', message: 'X is not set' } }))).rejects.toMatchObject({
      code: 'MODEL_KEY_UNAVAILABLE',
      message: 'X is not set',
    });
    await expect(answer(offer({ sealed: [box('new', { name: 's/r2/acme' })] }))).rejects.toMatchObject({ code: 'MODEL_KEY_UNAVAILABLE' });
    await expect(answer({ ...offer({ sealed: [box('new')] }), model: undefined })).rejects.toMatchObject({ code: 'MODEL_UNAVAILABLE' });
  });
});
