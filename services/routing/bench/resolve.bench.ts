// `rpc routing.resolve` of the built service with 5,000 bindings, verified principal and validation included, against a raw request that is answered by a
// handler which only parses and responds. Service and raw responder are processes of their own behind the same nats-server and the same caller.
import 'reflect-metadata';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Module } from '@nestjs/common';
import { BUCKETS, routingContracts } from '@plexus/contracts';
import { migrate } from '@plexus/database';
import { startService } from '@plexus/service-kit';
import { connectTestBus, createTestDatabase, startTestNats } from '@plexus/testing';
import { z } from 'zod';
import { migrationsFolder } from '../dist/src/adapters/postgres/migrations.js';

const BINDINGS = 5_000;
const ROUNDS = 9;
const SLICE_MS = 200;
const IN_FLIGHT = 64;
const GOAL = '>= 0.70';

class NoHandlers {}
Module({})(NoHandlers);

const nats = await startTestNats();
const bus = await connectTestBus(nats.url, { apply: true });
const buckets = await bus.kv(BUCKETS.config);
await buckets.put('_', { tenants: { acme: {} } });
const bindings = Array.from({ length: BINDINGS }, (_, n) => ({ agentId: 'main', match: { channel: 'telegram', peer: { kind: 'group', id: `-${n}` } } }));
await buckets.put('acme', { agents: { list: [{ id: 'main' }] }, bindings });
const database = await createTestDatabase();
await migrate({ url: database.url, schema: 'routing', directory: migrationsFolder() });

const spawn = async (module: URL, args: string[], env: Record<string, string>, flags: string[]) => {
  const child = fork(module, args, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: ['--no-warnings', ...flags],
    env: { PATH: process.env.PATH ?? '', LOG_LEVEL: 'error', ...env },
  });
  await once(child, 'message');
  return child;
};
const raw = await spawn(new URL('./raw-responder.ts', import.meta.url), [nats.url], {}, []);
const env = { NATS_URL: nats.url, DATABASE_URL: database.url, PLEXUS_PARENT_BOUND: '1' };
const startRouting = (flags: string[]) => spawn(new URL('../dist/src/main.js', import.meta.url), [], env, flags);
const settings = {
  LOG_LEVEL: 'silent',
  SHUTDOWN_TIMEOUT_MS: 5_000,
  INTERNAL_HOST: '127.0.0.1',
  INTERNAL_PORT: 0,
  PROPAGATION_DELAY_MS: 0,
  NATS_URL: nats.url,
} as never;
const gateway = await startService(
  { name: 'gateway', config: z.object({}), needs: {}, create: async () => ({ module: NoHandlers as never }) },
  { config: settings },
);
const caller = gateway.context.bus;

const principal = { tenant: 'acme', user: 'ada', role: 'user' as const, scopes: ['operator.read'], credentialId: 'bench' };
let turn = 0;
const question = () => {
  turn = (turn + 1) % BINDINGS;
  return { channel: 'telegram', peer: { kind: 'group', id: `-${turn}` } };
};
const operations = {
  'raw request': async () =>
    JSON.parse(Buffer.from((await caller.request('raw.resolve', Buffer.from(JSON.stringify(question())), { timeoutMs: 10_000 })).data).toString()),
  'routing.resolve': () => caller.call(routingContracts.resolveRoute, 'acme', question(), { principal }),
};

/** Requests per second with a fixed number in flight. */
async function rate(operation: () => Promise<unknown>, ms: number): Promise<number> {
  let done = 0;
  const started = performance.now();
  const worker = async () => {
    while (performance.now() - started < ms) {
      await operation();
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return (done / (performance.now() - started)) * 1_000;
}

function print(name: string, unit: string, values: number[], more: object = {}): void {
  const sorted = values.map((value) => Math.round(value * 1_000) / 1_000).sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  process.stdout.write(`${JSON.stringify({ name, value: median, unit, median, min: sorted[0], max: sorted.at(-1), runs: sorted.length, ...more })}\n`);
}

/** Short turns one after the other: on a shared machine the noise comes in bursts. */
async function compare(what: string, flags: string[], more: object): Promise<void> {
  const routing = await startRouting(flags);
  for (const operation of Object.values(operations)) await rate(operation, 1_500);
  const rates: Record<string, number[]> = { 'raw request': [], 'routing.resolve': [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, operation] of Object.entries(operations)) rates[name]?.push(await rate(operation, SLICE_MS));
  }
  for (const [name, values] of Object.entries(rates)) print(`${name}, ${what}, ${IN_FLIGHT} in flight`, 'requests/s', values);
  const ratios = (rates['routing.resolve'] ?? []).map((value, round) => value / (rates['raw request']?.[round] ?? Number.NaN));
  const ratioTo = `raw request, ${what}, ${IN_FLIGHT} in flight`;
  print(`routing.resolve with ${BINDINGS} bindings, ${what}, ${IN_FLIGHT} in flight`, 'ratio', ratios, { ratioTo, ...more });
  routing.disconnect();
  await once(routing, 'exit');
}

await compare('tracing off', [], { goal: GOAL });
await compare('a span per request', ['--import', '@plexus/telemetry/register'], {});

raw.disconnect();
await once(raw, 'exit');
await gateway.stop('bench');
await bus.close();
await nats.stop();
await database.drop();
