import { decodeMeshFrame, type StartSessionData } from '@plexus/vm-protocol';
import type { UserMessage } from '../domain/journal-state.js';
import { turnOf } from './execute-run.js';

function turn(settings: object, metadata: object) {
  const session = { session_id: 's', runtime_type: 'semigraph', agent_id: 'main', agent_config: settings } as unknown as StartSessionData;
  const decoded = decodeMeshFrame(JSON.stringify({ type: 'user_message', session_id: 's', data: { message: 'x', metadata: { run_id: 'r', ...metadata } } }));
  if (!decoded.ok) throw new Error(decoded.error.reason);
  return turnOf({ session, message: decoded.value as UserMessage, runId: 'r' });
}

describe('the fallbacks of a turn', () => {
  const model_endpoint = { provider: 'acme', sealed: [] };
  const endpoint = { offer: model_endpoint, boxName: 's/r/acme' };

  it('are those that come with the message, each with its own endpoint and window', () => {
    const { fallbacks, contextTokens } = turn(
      { model: 'm', fallbacks: ['ignored'] },
      {
        model_endpoint,
        context_window: 64_000,
        model_endpoints_fallback: [{ model: 'a', provider: 'other', sealed: [], context_window: 32_000 }, { model: 'b' }],
      },
    );
    expect(contextTokens).toBe(64_000);
    expect(fallbacks).toEqual([
      { model: 'a', endpoint: { offer: { provider: 'other', sealed: [] }, boxName: 's/r/other' }, contextTokens: 32_000 },
      { model: 'b' },
    ]);
  });

  it('are else the names in the settings of the session, at the endpoint of its model, each once', () => {
    expect(turn({ model: 'm', fallbacks: ['a', 'm', 'b'], fallback_model: 'a' }, { model_endpoint }).fallbacks).toEqual([
      { model: 'a', endpoint },
      { model: 'b', endpoint },
    ]);
    expect(turn({ model: 'm', fallback_model: 'a' }, {}).fallbacks).toEqual([{ model: 'a' }]);
  });

  it('have their own windows; that of the model itself is only lowered by what the agent is allowed', () => {
    const tokens = (settings: object, metadata: object) => turn(settings, metadata).contextTokens;
    expect(tokens({}, {})).toBeUndefined();
    expect(tokens({ context_tokens: 50_000 }, {})).toBe(50_000);
    expect(tokens({ context_tokens: 50_000 }, { context_window: 32_000 })).toBe(32_000);
    expect(tokens({ context_tokens: 1_000_000 }, {})).toBe(200_000);
  });

  it('are none where the message says so', () => {
    expect(turn({ model: 'm', fallback_model: 'a' }, { model_endpoints_fallback: [] })).not.toHaveProperty('fallbacks');
    expect(turn({ model: 'm' }, {})).not.toHaveProperty('fallbacks');
  });
});
