// Request/reply: our client and Nest strategy against a raw handler behind the same multiplexer, and against Nest's own NATS transport.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Logger } from '@nestjs/common';
import { ClientProxyFactory, Transport } from '@nestjs/microservices';
import { connectBus } from '@plexus/bus';
import { startTestNats } from '@plexus/testing';
import { firstValueFrom } from 'rxjs';
import { DEFAULT_PATTERN, identity, nestRpc, principal, RAW_SUBJECT, request, typedRpc } from './bench-contracts.ts';
import { column, inTurns, medianLatency, ownCpu, print, ratios, throughput, type Variant } from './measure.ts';

/** Many short turns: on a shared machine the noise comes in bursts. */
const ROUNDS = 9;
const SLICE_MS = 150;

const nats = await startTestNats();
const responder = fork(new URL('./responder.ts', import.meta.url), [nats.url], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: ['--no-warnings'] });
await once(responder, 'message');
const bus = await connectBus({ service: 'caller', servers: nats.url, identity });
const nestClient = ClientProxyFactory.create({ transport: Transport.NATS, options: { servers: [nats.url] } });
Logger.overrideLogger(false);
await nestClient.connect();

const rawRequest = async (): Promise<unknown> => (await bus.connection.request(RAW_SUBJECT, JSON.stringify(request), { timeout: 10_000 })).json();
const rawMultiplexed = async (): Promise<unknown> => {
  const answer = await bus.request(RAW_SUBJECT, Buffer.from(JSON.stringify(request)), { timeoutMs: 10_000 });
  return JSON.parse(Buffer.from(answer.data).toString());
};

const RAW = 'raw handler + multiplexer';
const TYPED = 'typed serve';
const NEST = 'nest strategy, DI and validation';
const NEST_TOKEN = 'nest strategy, DI, validation and principal token';
const DEFAULT = 'nest default transport';
const variants: Variant[] = [
  { name: 'client library request', operation: rawRequest },
  { name: RAW, operation: rawMultiplexed },
  { name: TYPED, operation: () => bus.call(typedRpc, 'acme', request) },
  { name: NEST, operation: () => bus.call(nestRpc, 'acme', request) },
  { name: NEST_TOKEN, operation: () => bus.call(nestRpc, 'acme', request, { principal }) },
  { name: DEFAULT, operation: () => firstValueFrom(nestClient.send(DEFAULT_PATTERN, request)) },
];

for (const variant of variants) await throughput(variant.operation, 256, 700);

/** Of this process and the responder; the server is the same for all. */
const bothCpus = async (): Promise<number> => {
  responder.send('cpu');
  const [used] = (await once(responder, 'message')) as [number];
  return used + Number(ownCpu());
};

for (const [inFlight, overDefault] of [
  [32, '>= 1.7'],
  [256, '>= 2.8'],
] as const) {
  const results = await inTurns(variants, ROUNDS, ({ operation }) => throughput(operation, inFlight, SLICE_MS, bothCpus));
  const rates = column(results, 'rate');
  for (const [name, values] of rates) print(`request/reply ${inFlight} in flight, ${name}`, 'requests/s', values);
  for (const [name, values] of column(results, 'cpu')) print(`request/reply ${inFlight} in flight, ${name}, caller and service`, 'CPU us/request', values);
  const ratio = (of: string, to: string, goal?: string): void =>
    print(`request/reply ${inFlight} in flight, ${of}`, 'ratio', ratios(rates.get(of), rates.get(to)), {
      ratioTo: `request/reply ${inFlight} in flight, ${to}`,
      ...(goal && { goal }),
    });
  ratio(TYPED, RAW);
  ratio(NEST, RAW, '>= 0.70');
  ratio(NEST_TOKEN, RAW);
  ratio(NEST, DEFAULT, overDefault);
  ratio(NEST_TOKEN, DEFAULT);
}

const latencies = await inTurns(variants, ROUNDS, ({ operation }) => medianLatency(operation, SLICE_MS));
for (const [name, values] of latencies) print(`request/reply p50 at concurrency 1, ${name}`, 'ms', values);
print(`request/reply p50 at concurrency 1, ${NEST}`, 'ratio', ratios(latencies.get(NEST), latencies.get(RAW)), {
  ratioTo: `request/reply p50 at concurrency 1, ${RAW}`,
  goal: '<= 1.4',
});

responder.disconnect();
await once(responder, 'exit');
nestClient.close();
await bus.close();
await nats.stop();
