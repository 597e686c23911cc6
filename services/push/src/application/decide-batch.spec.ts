import { createEngine } from '../domain/engine/engine.js';
import type { LogInput } from '../domain/engine/types.js';
import { DecideBatch } from './decide-batch.js';
import type { DecidedBatch, DecidingStore } from './deciding-ports.js';
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

  it('takes an event to be new, looks it up when the table of sightings objects, and then decides it as a repetition', async () => {
    const sightings = new Set(['again']);
    const lookups: string[][] = [];
    const store = {
      loadShared: async (wanted: readonly unknown[]) => wanted.map(() => undefined),
      loadUsers: async (users: readonly unknown[]) => users.map(() => ({ rev: 0, epoch: 'epoch', head: 0 })),
      seen: async (wanted: readonly { eventKey: string }[]) => {
        lookups.push(wanted.map(({ eventKey }) => eventKey));
        return wanted.map(({ eventKey }) => sightings.has(eventKey));
      },
      commit: async ({ seen }: DecidedBatch) => {
        if (seen.some(({ eventKey }) => sightings.has(eventKey))) return { kind: 'seen' };
        for (const { eventKey } of seen) sightings.add(eventKey);
        return { kind: 'committed' };
      },
    } as unknown as DecidingStore;
    const onFault = (_: unknown, error: unknown) => expect(error).toBeUndefined();
    const batch = new DecideBatch({ engine: createEngine(), store, remembered: new RememberedStates(), newEpoch: () => 'epoch', onFault });
    let seq = 0;
    const decide = async (...keys: string[]) => {
      const before = seq;
      const inputs = keys.map((key): LogInput => {
        seq += 1;
        const event = {
          ...{ key, origin: 'crm', source: '/crm', id: key, type: 'case.changed', subject: 's', severity: 'medium' as const },
          ...{ occurredAt: '2026-11-21T10:00:00.000Z', entities: [], regions: [], topics: [], summary: 'Changed.' },
        };
        const hit = { subscriptionId: 'sub', version: 1, scopeKind: 'all', scopeRef: '', minSeverity: 'low', level: 'all', method: 'rule', score: 1 } as const;
        return { kind: 'candidate', data: { event, hits: [hit], score: 1 }, id: `i${seq}`, tenant: 'acme', user: 'ann', seq, at: seq };
      });
      const { result, decisions } = await batch.execute([{ partition: { part: 3, fence: 1, cursor: before }, inputs, next: seq }]);
      return [result.kind, ...decisions.map(({ decision }) => `${decision.eventKey} ${decision.reason}`)];
    };
    expect(await decide('first')).toEqual(['committed', 'first sent']);
    expect(lookups).toEqual([]);
    expect(await decide('again', 'second')).toEqual(['committed', 'again duplicate_event', 'second sent']);
    expect(lookups).toEqual([['again', 'second']]);
    // What the state of the user knows objects to nothing.
    expect(await decide('second')).toEqual(['committed', 'second duplicate_event']);
    expect([...sightings].sort()).toEqual(['again', 'first', 'second']);
  });
});
