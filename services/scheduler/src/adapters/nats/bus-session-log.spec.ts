import type { Bus, OrderedMessage, OrderedReading } from '@plexus/bus';
import type { RunRow } from '../../application/ports.js';
import { BusSessionLog } from './bus-session-log.js';

const run: RunRow = {
  tenant: 'acme',
  sessionId: '01jd2x3y4z5a6b7c8d9e0f1g2h',
  sessionKey: 'agent:main:main',
  owner: 'ada',
  agentId: 'main',
  runId: 'run-1',
  scopeKey: 'user',
  command: { message: 'hello', history: [], timeoutMs: 600_000 },
  traceparent: undefined,
  vmId: 'vm-b',
  handedEpoch: undefined,
  lost: 0,
  cancelReason: undefined,
  steers: [],
  runSeq: 0,
  previousAttached: false,
  sessionEpoch: 3,
  markedEpoch: 3,
  markerSeq: 4,
};

const message = (seq: number, data: object): OrderedMessage => ({ seq, json: () => ({ data }) }) as unknown as OrderedMessage;

/** A stream whose newest message is the last of `stored`, and whose readers get only `delivered`. */
class Stream {
  open = 0;
  readonly markers: string[] = [];

  constructor(
    private readonly stored: readonly OrderedMessage[],
    private readonly delivered: readonly OrderedMessage[] = stored,
  ) {}

  get bus(): Pick<Bus, 'lastOnSubject' | 'readOrdered' | 'publishRaw' | 'encodeEvent'> {
    return {
      lastOnSubject: async () => this.stored.at(-1),
      readOrdered: (_stream: unknown, _selection: unknown, handler: (message: OrderedMessage) => void) => {
        this.open += 1;
        setImmediate(() => this.delivered.forEach(handler));
        const stop = async (): Promise<void> => {
          this.open -= 1;
        };
        return { stop } as unknown as OrderedReading;
      },
      encodeEvent: () => ({ subject: 's', headers: {}, body: new Uint8Array() }),
      publishRaw: async (_subject: string, _body: Uint8Array, { msgId }: { msgId: string }) => {
        this.markers.push(msgId);
        return { stream: 's', seq: 100, duplicate: false };
      },
    } as unknown as Pick<Bus, 'lastOnSubject' | 'readOrdered' | 'publishRaw' | 'encodeEvent'>;
  }
}

describe('the subject of a session', () => {
  const other = message(9, { runId: 'other', event: { type: 'thinking' } });

  it('ends its reading when it has what it needs, and when that does not come in time', async () => {
    const whole = new Stream([message(8, { runId: run.runId, runSeq: 5, event: { type: 'thinking' } }), other]);
    expect(await new BusSessionLog(whole.bus).mark(run, 6, 'vm-b')).toEqual({ lastRunSeq: 5, ended: false, markerSeq: 100 });
    expect(whole.open).toBe(0);

    const silent = new Stream([other], []);
    await expect(new BusSessionLog(silent.bus, 20).mark(run, 6, 'vm-b')).rejects.toMatchObject({ code: 'TIMEOUT' });
    expect(silent.open).toBe(0);
    expect(silent.markers).toEqual([]);
  });

  it('compares the epochs of the run with the last marker only within one VM', async () => {
    const said = (vmId: string, epoch: number, runSeq: number) => message(8, { runId: run.runId, runSeq, vmId, epoch, event: { type: 'thinking' } });
    const marked = { ...run, markedEpoch: 7 };
    expect(await new BusSessionLog(new Stream([said('vm-a', 3, 5)]).bus).mark(marked, 6, 'vm-b')).toMatchObject({ lastRunSeq: 5 });
    expect(await new BusSessionLog(new Stream([said('vm-b', 3, 5)]).bus).mark(marked, 8, 'vm-b')).toMatchObject({ lastRunSeq: 0 });
  });

  it('marks a return to an incarnation anew, and a repeat of the same hand-over not', async () => {
    const stream = new Stream([]);
    const log = new BusSessionLog(stream.bus);
    for (const markerSeq of [4, 4, 9]) await log.mark({ ...run, markerSeq }, 6, 'vm-b');
    const [first, repeated, returned] = stream.markers;
    expect(repeated).toBe(first);
    expect(returned).not.toBe(first);
  });
});
