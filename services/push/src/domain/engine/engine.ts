import type { Engine } from './types.js';
import { PushPolicy } from '@plexus/contracts';

export function createEngine(): Engine {
  return {
    emptyShared: () => ({
      policy: { version: 0, body: PushPolicy.parse({ name: 'default' }) },
      silences: {},
      defaults: { version: 0, preferences: [] },
      restricted: {},
      opened: {},
    }),
    foldShared: (shared) => shared,
    emptyUser: (epoch) => ({ v: 1, epoch, head: 0 }),
    reduce: (state) => ({ state, decisions: [], sends: [], edits: [], channels: [], timers: { set: [], cancel: [] } }),
  };
}
