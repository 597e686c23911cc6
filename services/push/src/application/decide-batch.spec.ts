import { createEngine } from '../domain/engine/engine.js';
import type { LogInput } from '../domain/engine/types.js';
import { DecideBatch } from './decide-batch.js';
import type { DecidingStore } from './deciding-ports.js';
import { RememberedStates } from './remembered-states.js';

describe('deciding a batch', () => {
  it('asks once for what holds for everybody of a tenant, also when there is nothing, until the partition is doubted', async () => {
    const asked: string[] = [];
    const store = {
      loadShared: async (wanted: readonly { tenant: string }[]) => {
        asked.push(...wanted.map(({ tenant }) => tenant));
        return wanted.map(() => undefined);
      },
      loadUsers: async (users: readonly unknown[]) => users.map(() => ({ rev: 0, epoch: 'epoch', head: 0 })),
      seen: async (wanted: readonly unknown[]) => wanted.map(() => false),
      commit: async () => ({ kind: 'committed' }),
    } as unknown as DecidingStore;
    const remembered = new RememberedStates();
    const batch = new DecideBatch({ engine: createEngine(), store, remembered, newEpoch: () => 'epoch', onFault: (_, error) => expect(error).toBeUndefined() });
    let seq = 0;
    const decide = (tenant: string) => {
      seq += 1;
      const input = { kind: 'timer', data: { timerId: 'wake', dueAt: seq }, id: `i${seq}`, tenant, user: 'ann', seq, at: seq } as LogInput;
      return batch.execute([{ partition: { part: 3, fence: 1, cursor: seq - 1 }, inputs: [input], next: seq }]);
    };
    await decide('acme');
    await decide('acme');
    await decide('other');
    expect(asked).toEqual(['acme', 'other']);
    remembered.forget(3);
    await decide('acme');
    expect(asked).toEqual(['acme', 'other', 'acme']);
  });
});
