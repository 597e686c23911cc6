import type { DataOf, routingContracts } from '@plexus/contracts';
import type { Delivery } from '@plexus/bus';
import type { PersonEraser } from '../postgres/person-eraser.js';
import { ErasureController } from './erasure.controller.js';
import type { PersonLog } from './person-log.js';

describe('forgetting a person', () => {
  it('removes as well what was being decided while it was asked for, and what that left in the streams', async () => {
    const rows = new Set(['item']);
    const stream = new Set(['candidate', 'next candidate']);
    let passes = 0;
    const stated: number[] = [];
    const log = {
      erase: async () => {
        passes += 1;
        // A decider had read it before it was removed.
        if (passes === 2) rows.add('late item').add('late fact, in the outbox');
        stream.clear();
        return 0;
      },
    };
    const eraser = {
      erase: async () => {
        if (rows.delete('late fact, in the outbox')) stream.add('late fact, published at that moment');
        rows.clear();
        return {};
      },
      finish: async () => void stated.push(passes),
    };
    const controller = new ErasureController(eraser as unknown as PersonEraser, log as unknown as PersonLog);
    const data = { erasureId: 'e', user: 'me', requestedBy: 'admin', at: '2026-11-21T10:00:00Z' };
    const request = { tenant: 'acme', data } as unknown as Delivery<DataOf<typeof routingContracts.eraseRequested>>;
    expect(await controller.onRequested(request)).toEqual({ kind: 'done' });
    expect([...rows, ...stream]).toEqual([]);
    // The receipt comes behind all of it: what is said after it is not removed.
    expect(stated).toEqual([3]);
  });
});
