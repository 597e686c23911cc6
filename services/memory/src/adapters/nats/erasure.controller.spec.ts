import type { PersonEraser } from '../postgres/person-eraser.js';
import { ErasureController } from './erasure.controller.js';
import type { PurgeWaitingWrites } from './waiting-writes.js';

describe('an erasure', () => {
  it('first takes what waits to be written for the person, or it would be written right behind it', async () => {
    const steps: string[] = [];
    const eraser = { erase: async (tenant: string, user: string, id: string) => steps.push(`erase ${tenant} ${user} ${id}`) };
    const waiting = { purge: async (tenant: string, { kind, id }: { kind: string; id: string }) => steps.push(`purge ${tenant} ${kind}:${id}`) };
    const controller = new ErasureController(eraser as unknown as PersonEraser, waiting as unknown as PurgeWaitingWrites);
    const data = { erasureId: 'e1', user: 'ada', requestedBy: 'admin', at: '2026-11-21T10:00:00Z' };
    const delivery = { tenant: 'acme', data } as unknown as Parameters<ErasureController['onRequested']>[0];
    await expect(controller.onRequested(delivery)).resolves.toEqual({ kind: 'done' });
    expect(steps).toEqual(['purge acme user:ada', 'erase acme ada e1']);
  });
});
