import type { VmSpan } from '@plexus/vm-protocol';
import type { VmTracing } from './vm-ports.js';
import { VmTraces } from './vm-traces.js';

const OWN = '0af7651916cd43dd8448eb211c80319c';
const FOREIGN = '4bf92f3577b34da6a3ce929d0e0e4736';
const identity = { tenant: 'acme', vmId: 'vm-1', epoch: 1, owner: 'me', connGen: 1 };
const NOW = 1_764_000_000_000;

function setUp(perSecond = 50) {
  const recorded: VmSpan[] = [];
  const dropped: Record<string, number> = {};
  const tracing: VmTracing = {
    perSecond,
    record: (_identity, span) => void recorded.push(span),
    dropped: (count, reason) => {
      dropped[reason] = (dropped[reason] ?? 0) + count;
    },
    within: (_traceparent, work) => work(),
  };
  const traces = new VmTraces({ tracing, now: () => NOW, monotonic: () => 0 });
  const report = (spans: readonly VmSpan[], lost?: number) =>
    traces.report(identity, { type: 'spans', spans: [...spans], ...(lost === undefined ? {} : { dropped: lost }) });
  return { traces, recorded, dropped, report };
}

const span = (traceId: string, more: Partial<VmSpan> = {}): VmSpan => ({
  ...{ trace_id: traceId, span_id: 'b7ad6b7169203331', parent_span_id: '00f067aa0ba902b7', op: 'tool', start_ms: NOW, duration_ms: 1 },
  ...more,
});

describe('spans that a VM reports', () => {
  it('are recorded for traces that it was given with a message, and for no other', () => {
    const { traces, recorded, dropped, report } = setUp();
    traces.learnFrom({ type: 'user_message', data: { metadata: { traceparent: `00-${OWN}-b7ad6b7169203331-01` } } });
    traces.learnFrom({ type: 'start_session', data: { metadata: { traceparent: `00-${FOREIGN}-b7ad6b7169203331-01` } } });
    traces.learn(`00-${FOREIGN}-b7ad6b7169203331-00`);
    traces.learn({ not: 'a string' });
    report([span(OWN), span(FOREIGN), span(OWN, { start_ms: NOW - 90_000_000 })], 3);
    expect(recorded.map(({ trace_id }) => trace_id)).toEqual([OWN]);
    expect(dropped).toEqual({ 'vm-unknown-trace': 2, 'vm-lost': 3 });
    expect([OWN, FOREIGN].map((id) => traces.knows(`00-${id}-b7ad6b7169203331-01`))).toEqual([true, false]);
  });

  it('are limited in number, and the traces that are remembered too', () => {
    const { traces, recorded, dropped, report } = setUp(2);
    for (let n = 1; n <= 600; n += 1) traces.learn(`00-${n.toString(16).padStart(32, '0')}-b7ad6b7169203331-01`);
    traces.learn(`00-${OWN}-b7ad6b7169203331-01`);
    expect(traces.knows(`00-${'1'.padStart(32, '0')}-b7ad6b7169203331-01`)).toBe(false);
    report(Array.from({ length: 50 }, () => span(OWN)));
    expect([recorded.length, dropped['vm-rate']]).toEqual([20, 30]);
    report([], Number.MAX_SAFE_INTEGER);
    expect(dropped['vm-lost']).toBe(10_000);
  });
});
