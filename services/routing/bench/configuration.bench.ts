// How long a change of bindings takes from the answer to its writer until every one of three replicas routes by it. The quiet time of 300 ms
// that services wait for further changes is part of it. Runs on the built services, in one process, against a real nats-server.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { BUCKETS, configContracts } from '@plexus/contracts';
import { startService } from '@plexus/service-kit';
import { connectTestBus, startTestNats, waitFor } from '@plexus/testing';
import { z } from 'zod';
import { configurationModule } from '../dist/src/configuration.module.js';

const ROUNDS = 20;
const REPLICAS = 3;

class NoHandlers {}
Module({})(NoHandlers);

const nats = await startTestNats();
const bus = await connectTestBus(nats.url, { apply: true });
await (await bus.kv(BUCKETS.config)).put('_', { tenants: { acme: {} } });
const config = {
  LOG_LEVEL: 'silent',
  SHUTDOWN_TIMEOUT_MS: 5_000,
  INTERNAL_HOST: '127.0.0.1',
  INTERNAL_PORT: 0,
  PROPAGATION_DELAY_MS: 0,
  NATS_URL: nats.url,
} as never;
const start = (name: string, module: (context: never) => Promise<never>) =>
  startService({ name, config: z.object({}), needs: {}, create: async (context) => ({ module: await module(context as never) }) }, { config });
const gateway = await start('gateway', async () => NoHandlers as never);
const replicas: Awaited<ReturnType<typeof start>>[] = [];
for (let index = 0; index < REPLICAS; index += 1) replicas.push(await start('routing', (context) => configurationModule(context) as Promise<never>));

const principal = { tenant: 'acme', user: 'ada', role: 'operator' as const, scopes: ['operator.admin'], credentialId: 'bench' };
const milliseconds: number[] = [];
for (let round = 0; round < ROUNDS; round += 1) {
  const text = JSON.stringify({ agents: { list: [{ id: 'main' }] }, bindings: [{ agentId: 'main', match: { channel: 'telegram', accountId: `a${round}` } }] });
  const { revision } = await gateway.context.bus.call(configContracts.applyConfig, 'acme', { text, force: true }, { principal });
  const written = performance.now();
  await waitFor(() => replicas.every(({ context }) => context.tenants.revisionOf('acme') === revision), {
    intervalMs: 1,
    timeoutMs: 30_000,
    what: 'every replica',
  });
  milliseconds.push(performance.now() - written);
}
const sorted = milliseconds.map((value) => Math.round(value)).sort((a, b) => a - b);
process.stdout.write(
  `${JSON.stringify({ name: 'a change of bindings is in force in every one of 3 replicas', value: sorted.at(-1), unit: 'ms', median: sorted[ROUNDS / 2], min: sorted[0], max: sorted.at(-1), runs: ROUNDS, goal: '<= 1000' })}\n`,
);
await Promise.all([gateway, ...replicas].map((service) => service.stop('bench')));
await bus.close();
await nats.stop();
