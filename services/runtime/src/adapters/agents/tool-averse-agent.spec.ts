import { type Agent, AgentFailure, type ModelPiece, type ToolOffer, type Turn } from '../../application/ports.js';
import { ToolAverseAgent } from './tool-averse-agent.js';

const offer: ToolOffer = { name: 't', description: 't', inputSchema: {} };

function bench(message: string): { agent: ToolAverseAgent; asked: (number | undefined)[] } {
  const asked: (number | undefined)[] = [];
  const inner: Agent = {
    async *run(turn): AsyncGenerator<ModelPiece> {
      asked.push(turn.tools?.length);
      if (turn.tools) throw new AgentFailure('MODEL_UNAVAILABLE', `The endpoint says: “${message}”`);
      yield { type: 'text', text: 'plain' };
    },
  };
  return { agent: new ToolAverseAgent(inner, () => undefined), asked };
}

async function say(agent: Agent, turn: Partial<Turn> = {}): Promise<string> {
  let all = '';
  for await (const piece of agent.run({ message: 'x', history: [], tools: [offer], ...turn }, new AbortController().signal))
    if (piece.type === 'text') all += piece.text;
  return all;
}

describe('a model that cannot use tools', () => {
  it.each([
    'registry/library/gemma does not support tools',
    'tool calling is not supported by this model',
    'Function calling is not enabled',
    'tools are not supported',
  ])('is asked without them after “%s”, and from then on at once', async (message) => {
    const { agent, asked } = bench(message);
    expect([await say(agent), await say(agent)]).toEqual(['plain', 'plain']);
    expect(asked).toEqual([1, undefined, undefined]);
    await say(agent, { model: 'another' });
    expect(asked.slice(3)).toEqual([1, undefined]);
  });

  it('is none only because it fails', async () => {
    await expect(say(bench('overloaded').agent)).rejects.toMatchObject({ code: 'MODEL_UNAVAILABLE' });
  });
});
