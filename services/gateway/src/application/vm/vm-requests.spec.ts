import type { VmFrameOf } from '@plexus/vm-protocol';
import { VmSessions } from '../../domain/vm-sessions.js';
import { RequestLedger } from './request-ledger.js';
import type { VmServices, VmWire } from './vm-ports.js';
import { VmTraces } from './vm-traces.js';
import { VmRequests } from './vm-requests.js';

const identity = { tenant: 'acme', vmId: 'vm-1', epoch: 1, owner: 'ann', connGen: 1 };
const request = (id: string): VmFrameOf<'request'> => ({ type: 'request', id, session_id: 's', method: 'memory_search', params: { query: 'tea' } });
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Requests whose answers come when the test gives them; `sent` is what went to each socket. */
function world() {
  const waiting: ((hits: object[]) => void)[] = [];
  const services = {
    mesh: { call: () => new Promise((resolve) => waiting.push((hits) => resolve({ hits }))) },
    requests: { find: async () => undefined },
    now: () => 0,
  } as unknown as VmServices;
  const ledger = new RequestLedger();
  const socket = () => {
    const sent: unknown[] = [];
    const wire = { send: (text: string) => sent.push(JSON.parse(text)) > 0 } as unknown as VmWire;
    return { sent, requests: new VmRequests(identity, services, new VmSessions(), ledger, wire, new VmTraces(services)) };
  };
  return { waiting, socket };
}

describe('requests of a VM', () => {
  it('that are in work when the socket goes are pending on the next one, and answered there', async () => {
    const { waiting, socket } = world();
    const [first, second] = [socket(), socket()];
    void first.requests.answer(request('q'));
    expect(await second.requests.resume(['q', 'other'], new AbortController().signal)).toEqual({
      q: { status: 'pending' },
      other: { status: 'not_found' },
    });
    waiting[0]?.([]);
    await turn();
    const response = { type: 'response', id: 'q', result: { results: [] }, error: null };
    expect([first.sent, second.sent, waiting.length]).toEqual([[response], [response], 1]);
  });

  it('are refused beyond a thousand without an answer, and taken again when there is room', async () => {
    const { waiting, socket } = world();
    const { sent, requests } = socket();
    for (let index = 0; index <= 1_000; index += 1) void requests.answer(request(`q${index}`));
    await turn();
    expect(sent).toMatchObject([{ id: 'q1000', error: { code: 'QUEUE_FULL' } }]);
    waiting[0]?.([]);
    await turn();
    void requests.answer(request('later'));
    await turn();
    expect(sent.map((frame) => (frame as { id: string }).id)).toEqual(['q1000', 'q0']);
    expect(waiting).toHaveLength(1_001);
  });
});
