import { errors } from '@plexus/contracts';
import { type KeptRequest, KeptRequests, type RequestKey, type RequestStore } from './kept-requests.js';
import { type Answer, RequestLedger } from './request-ledger.js';

const KEY = { vmId: 'vm-1', epoch: 3, id: 'q' };
const ANSWER: Answer = { result: { result: { content: [] } }, error: null };
const log = { warn: () => undefined };

class MemoryStore implements RequestStore {
  readonly entries = new Map<string, KeptRequest>();
  /** The next write is done, but its receipt is lost. */
  losesReceipt = false;

  async claim(key: RequestKey, request: KeptRequest): Promise<boolean> {
    const name = JSON.stringify(key);
    if (this.entries.has(name)) return false;
    this.entries.set(name, request);
    if (this.losesReceipt) {
      this.losesReceipt = false;
      throw errors.create('TIMEOUT');
    }
    return true;
  }

  async read(key: RequestKey): Promise<KeptRequest | undefined> {
    return this.entries.get(JSON.stringify(key));
  }

  async settle(key: RequestKey, request: KeptRequest): Promise<void> {
    this.entries.set(JSON.stringify(key), request);
  }
}

describe('requests that must not run twice', () => {
  it('are asked once, on whichever gateway they come again, and answered everywhere', async () => {
    const store = new MemoryStore();
    const [first, second] = [0, 1].map(() => new KeptRequests(store, () => 1_000, log, 1)) as [KeptRequests, KeptRequests];
    let asked = 0;
    let finish: (answer: Answer) => void = () => undefined;
    const ask = () => {
      asked += 1;
      return new Promise<Answer>((resolve) => {
        finish = resolve;
      });
    };
    const here = first.once(KEY, ask);
    await here.safe;
    const there = second.once(KEY, ask);
    await there.safe;
    expect(await second.find(KEY, new AbortController().signal)).toMatchObject({ state: 'pending' });
    finish(ANSWER);
    expect(await Promise.all([here.answer, there.answer])).toEqual([ANSWER, ANSWER]);
    expect(await second.once(KEY, ask).answer).toEqual(ANSWER);
    expect(asked).toBe(1);
  });

  it('are not repeated when the gateway that asked is gone: nobody knows whether the call had its effect', async () => {
    const store = new MemoryStore();
    let now = 1_000;
    await store.claim(KEY, { state: 'pending', at: now, by: 'a gateway that is gone' });
    now += 91_000;
    let asked = 0;
    const { answer } = new KeptRequests(store, () => now, log, 1).once(KEY, async () => {
      asked += 1;
      return ANSWER;
    });
    expect(await answer).toMatchObject({ error: { code: 'TIMEOUT' } });
    expect(asked).toBe(0);
  });

  it('are asked although the receipt of the claim was lost', async () => {
    const store = new MemoryStore();
    store.losesReceipt = true;
    expect(await new KeptRequests(store, () => 1_000, log, 1).once(KEY, async () => ANSWER).answer).toEqual(ANSWER);
  });

  it('are answered in time, however long it takes to keep the answer', async () => {
    const store = new MemoryStore();
    store.settle = () => new Promise(() => undefined);
    expect(await new KeptRequests(store, () => 1_000, log, 1, 1).once(KEY, async () => ANSWER).answer).toEqual(ANSWER);
  });

  it('are answered also when the answer cannot be kept', async () => {
    const store = new MemoryStore();
    store.settle = async () => Promise.reject(errors.create('PAYLOAD_TOO_LARGE'));
    expect(await new KeptRequests(store, () => 1_000, log, 1).once(KEY, async () => ANSWER).answer).toEqual(ANSWER);
  });
});

describe('the answers of one process', () => {
  it('are kept for five minutes, and a request in work is one', async () => {
    const ledger = new RequestLedger();
    let asked = 0;
    const ask = () => {
      asked += 1;
      const answer = Promise.resolve(ANSWER);
      return { answer, safe: answer };
    };
    await ledger.once('q', 0, ask).answer;
    await ledger.once('q', 299_999, ask).answer;
    expect([asked, ledger.find('q')?.settled]).toEqual([1, ANSWER]);
    await ledger.once('other', 300_000, ask).answer;
    expect([asked, ledger.find('q')]).toEqual([2, undefined]);
  });

  it('are a thousand and no more, whatever is in work meanwhile', async () => {
    const ledger = new RequestLedger();
    const never = new Promise<Answer>(() => undefined);
    ledger.once('slow', 0, () => ({ answer: never, safe: never }));
    const answer = Promise.resolve(ANSWER);
    for (let index = 0; index < 3_000; index += 1) await ledger.once(`q${index}`, 0, () => ({ answer, safe: answer })).answer;
    const kept = Array.from({ length: 3_000 }, (_, index) => ledger.find(`q${index}`)).filter((entry) => entry !== undefined);
    expect(kept.length).toBeLessThanOrEqual(1_001);
    expect([ledger.find('slow'), ledger.find('q2999')?.settled]).toEqual([expect.anything(), ANSWER]);
  });
});
