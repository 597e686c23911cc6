import { plexusError } from '@plexus/contracts';
import { type AnswerStore, type KeptAnswer, KeptAnswers, type KeyedWrite } from './kept-answers.js';

const WRITE: KeyedWrite = { tenant: 'acme', user: 'ann', target: 'POST /v1/schedules', key: 'k1', input: { name: 'x', at: 1 } };

describe('a write with an Idempotency-Key', () => {
  let kept: Map<string, KeptAnswer>;
  let gateways: KeptAnswers[];
  let acts: number;
  const act = async () => {
    acts += 1;
    return { id: `s${acts}` };
  };

  beforeEach(() => {
    kept = new Map();
    acts = 0;
    const store: AnswerStore = {
      claim: async (name, value) => !kept.has(name) && Boolean(kept.set(name, value)),
      read: async (name) => structuredClone(kept.get(name)),
      settle: async (name, value) => void kept.set(name, structuredClone(value)),
      release: async (name) => void kept.delete(name),
    };
    gateways = [1, 2].map(() => new KeptAnswers(store, () => 0, { warn: () => undefined }));
  });
  const [one, two] = [() => gateways[0] as KeptAnswers, () => gateways[1] as KeptAnswers];

  it('has one effect, and the same answer from every gateway', async () => {
    expect(await one().once(WRITE, act)).toEqual({ answer: { id: 's1' }, replayed: false });
    expect(await two().once({ ...WRITE, input: { at: 1, name: 'x' } }, act)).toEqual({ answer: { id: 's1' }, replayed: true });
    expect(acts).toBe(1);
  });

  it('is another with another key, caller or target, and refused with other input', async () => {
    const others: Partial<KeyedWrite>[] = [{}, { key: 'k2' }, { user: 'bob' }, { tenant: 'other' }, { target: 'DELETE /v1/schedules' }];
    for (const other of others) await one().once({ ...WRITE, ...other }, act);
    expect(acts).toBe(5);
    await expect(two().once({ ...WRITE, input: { name: 'y' } }, act)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('another request'),
    });
    expect(acts).toBe(5);
  });

  it('is not begun again while the first is going on', async () => {
    let finish = (_answer: unknown): void => {};
    const first = one().once(
      WRITE,
      () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    );
    await expect(two().once(WRITE, act)).rejects.toMatchObject({ code: 'CONFLICT', details: { retryAfterMs: 1_000 } });
    finish('done');
    expect(await first).toEqual({ answer: 'done', replayed: false });
    expect(await two().once(WRITE, act)).toEqual({ answer: 'done', replayed: true });
    expect(acts).toBe(0);
  });

  it('may be tried again when it was refused or reached nobody, and not when nobody knows', async () => {
    const failing = (code: Parameters<typeof plexusError>[0]) => () => Promise.reject(plexusError(code));
    for (const code of ['INVALID_REQUEST', 'NO_RESPONDERS', 'QUEUE_FULL'] as const) {
      await expect(one().once(WRITE, failing(code))).rejects.toMatchObject({ code });
    }
    await expect(one().once(WRITE, failing('TIMEOUT'))).rejects.toMatchObject({ code: 'TIMEOUT' });
    await expect(two().once(WRITE, act)).rejects.toMatchObject({ code: 'TIMEOUT' });
    expect(acts).toBe(0);
    const harmless = { ...WRITE, key: 'k2', repeatable: true };
    await expect(one().once(harmless, failing('TIMEOUT'))).rejects.toMatchObject({ code: 'TIMEOUT' });
    expect(await two().once(harmless, act)).toMatchObject({ replayed: false });
    await expect(one().once({ ...WRITE, key: 'k3' }, () => Promise.reject(new Error('a secret')))).rejects.toThrow('a secret');
    await expect(two().once({ ...WRITE, key: 'k3' }, act)).rejects.toMatchObject({ code: 'INTERNAL', message: expect.not.stringContaining('secret') });
  });

  it('with a huge answer is done once all the same', async () => {
    const huge = 'x'.repeat(300_000);
    expect((await one().once(WRITE, async () => huge)).answer).toBe(huge);
    await expect(two().once(WRITE, act)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(acts).toBe(0);
  });
});
