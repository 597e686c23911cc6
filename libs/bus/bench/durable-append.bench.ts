// Durable append: typed publish with envelope, validation, deduplication id and receipt against a bare publish of the same bytes.
import { applyStreams, connectBus } from '@plexus/bus';
import { startTestNats } from '@plexus/testing';
import { appended, CONSUMER, request, STREAM } from './bench-contracts.ts';
import { inTurns, print, ratios, throughput, type Variant } from './measure.ts';

const ROUNDS = 5;
const SLICE_MS = 600;

const nats = await startTestNats();
const bus = await connectBus({ service: 'bench', servers: nats.url });
await applyStreams(bus, { need: { streams: [STREAM], consumers: [CONSUMER] } });

const body = bus.encodeEvent(appended, { tenant: 'acme', key: ['thing'], data: request }).body;
const variants: Variant[] = [
  { name: 'bare publish through the multiplexer', operation: () => bus.request('plexus.evt.acme.bench.appended.v1.thing', body, { timeoutMs: 10_000 }) },
  { name: 'typed publish', operation: () => bus.publish(appended, { tenant: 'acme', key: ['thing'], data: request }, { timeoutMs: 10_000 }) },
];
for (const { operation } of variants) await throughput(operation, 256, 500);
const rates = await inTurns(variants, ROUNDS, ({ operation }) => throughput(operation, 256, SLICE_MS));
for (const [name, values] of rates) print(`durable append 256 in flight, ${name}`, 'messages/s', values);
const [bare, typed] = [...rates.values()];
print('durable append 256 in flight, typed publish', 'ratio', ratios(typed, bare), { ratioTo: 'bare publish through the multiplexer', goal: '>= 0.85' });

let handled = 0;
const startedAt = performance.now();
const consumption = bus.consume(
  CONSUMER,
  async () => {
    handled += 1;
    return { kind: 'done' };
  },
  { concurrency: 256, maxMessages: 1_000, format: 'raw' },
);
await new Promise((resolve) => setTimeout(resolve, 2_000));
print('durable consume, explicit acks', 'messages/s', [(handled * 1_000) / (performance.now() - startedAt)]);
await consumption.stop();
await bus.close();
await nats.stop();
