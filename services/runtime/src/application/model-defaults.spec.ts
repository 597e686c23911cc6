import { decodeMeshFrame, type MeshFrameOf } from '@plexus/vm-protocol';
import { ModelDefaults } from './model-defaults.js';

const init = (llm_config: object): MeshFrameOf<'init'> => {
  const decoded = decodeMeshFrame(JSON.stringify({ type: 'init', data: { user_id: 'me', org_id: 'o', llm_config } }));
  if (!decoded.ok) throw new Error(decoded.error.reason);
  return decoded.value as MeshFrameOf<'init'>;
};

it('fallbacks of a connection are names, each once, and those of the newest connection alone', () => {
  const defaults = new ModelDefaults();
  expect(defaults.fallbacks).toEqual([]);
  defaults.accept(init({ fallback_model: 'b', fallbacks: ['a', 'b', 7, ''] }));
  expect(defaults.fallbacks).toEqual(['a', 'b']);
  defaults.accept(init({ fallback_model: null }));
  expect(defaults.fallbacks).toEqual([]);
});
