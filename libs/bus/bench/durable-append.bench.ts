// Durable append: what waiting for the stream's receipt, deduplication and the typed envelope cost beside a bare publish of the same bytes.
import { applyStreams, connectBus } from '@plexus/bus';
import { startTestNats } from '@plexus/testing';
import { appended, CONSUMER, request, STREAM } from './bench-contracts.ts';
import { column, inTurns, print, ratios, throughput, type Variant } from './measure.ts';

const ROUNDS = 7;
const SLICE_MS = 400;

const nats = await startTestNats();
const bus = await connectBus({ service: 'bench', servers: nats.url });
await applyStreams(bus, { need: { streams: [STREAM], consumers: [CONSUMER] } });

const body = bus.encodeEvent(appended, { tenant: 'acme', key: ['thing'], data: request }).body;
const subject = 'plexus.evt.acme.bench.appended.v1.thing';
let sent = 0;
const BARE = 'bare publish through the multiplexer';
const APPEND = 'append: receipt read, refusals told apart';
const variants: Variant[] = [
  { name: BARE, operation: () => bus.request(subject, body, { timeoutMs: 10_000 }) },
  { name: APPEND, operation: () => bus.publishRaw(subject, body, { timeoutMs: 10_000 }) },
  {
    name: 'append with a message id, deduplicated by the server',
    operation: () => {
      sent += 1;
      return bus.publishRaw(subject, body, { timeoutMs: 10_000, msgId: `bench-${sent}` });
    },
  },
  {
    name: 'typed publish: validated, CloudEvent, hashed message id',
    operation: () => bus.publish(appended, { tenant: 'acme', key: ['thing'], data: request }, { timeoutMs: 10_000 }),
  },
];
for (const { operation } of variants) await throughput(operation, 256, 500);
const results = await inTurns(variants, ROUNDS, ({ operation }) => throughput(operation, 256, SLICE_MS));
const rates = column(results, 'rate');
for (const [name, values] of rates) print(`durable append 256 in flight, ${name}`, 'messages/s', values);
for (const [name, values] of column(results, 'cpu')) print(`durable append 256 in flight, ${name}, publisher`, 'CPU us/message', values);
for (const [name, values] of rates) {
  if (name === BARE) continue;
  print(`durable append 256 in flight, ${name}`, 'ratio', ratios(values, rates.get(BARE)), {
    ratioTo: `durable append 256 in flight, ${BARE}`,
    ...(name === APPEND && { goal: '>= 0.85' }),
  });
}

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
