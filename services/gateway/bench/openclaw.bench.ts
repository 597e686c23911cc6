// The gateway protocol side by side with the published OpenClaw gateway, same client, in turns: handshakes, a cheap request on 50 connections, and an injected
// message to 200 connections that see it. Ours is the whole mesh: an injected message is stored by routing before anybody hears of it.
import { readFileSync } from 'node:fs';
import { openclawProgram, startFakeOpenAi, startOpenClawGateway, startTestMesh } from '@plexus/testing';
import { print, ratios } from './support/figures.ts';
import { LoadClient, rate } from './support/load-client.ts';

const ROUNDS = 5;
const CONNECTIONS = 50;
const SUBSCRIBERS = 200;
const INJECTED = 10;
/** Fewer than a real gateway lets one address have without hello. */
const HANDSHAKES_AT_ONCE = 16;

const program = openclawProgram();
if (program === undefined) {
  process.stdout.write('OpenClaw gateway: skipped, the published package is not installed (node tools/setup-openclaw.mjs)\n');
  print('OpenClaw gateway installed', 'bool', [0]);
  process.exit(0);
}
const model = await startFakeOpenAi();
const real = await startOpenClawGateway(program, model.baseUrl);
const mesh = await startTestMesh({ env: { LOG_LEVEL: 'error' } });
const sides = [
  { name: 'ours', ws: mesh.gateway.ws, token: mesh.token },
  { name: 'OpenClaw', ws: real.ws, token: real.token },
];
type Side = (typeof sides)[number];

await inTurns('handshakes', 'handshakes/s', '>= 4', async ({ ws, token }) =>
  rate(async () => (await LoadClient.open(ws, token)).close(), HANDSHAKES_AT_ONCE, 3_000),
);

const pools = new Map<string, LoadClient[]>();
for (const side of sides) pools.set(side.name, await openMany(side, SUBSCRIBERS));
await inTurns(`cheap requests (health), ${CONNECTIONS} connections`, 'requests/s', '>= 4', async ({ name }) => {
  const pool = (pools.get(name) ?? []).slice(0, CONNECTIONS);
  let next = 0;
  return rate(() => (pool[next++ % pool.length] as LoadClient).ask('health'), CONNECTIONS, 3_000);
});

for (const { name } of sides) await pools.get(name)?.[0]?.ask('sessions.create', { key: 'bench' });
await inTurns(`injected messages to ${SUBSCRIBERS} connections`, 'deliveries/s', '>= 10', async ({ name }) => {
  const pool = pools.get(name) ?? [];
  const before = pool.map(({ events }) => events);
  const startedAt = performance.now();
  for (let count = 0; count < INJECTED; count += 1) {
    const answer = await (pool[0] as LoadClient).ask('chat.inject', { sessionKey: 'agent:main:bench', message: `message ${count}` });
    if (!answer.includes('"ok":true')) throw new Error(`${name} refused: ${answer.slice(0, 300)}`);
  }
  while (pool.some(({ events }, index) => events - (before[index] as number) < INJECTED)) await new Promise((resolve) => setTimeout(resolve, 1));
  return (INJECTED * SUBSCRIBERS * 1_000) / (performance.now() - startedAt);
});

process.stdout.write(`load average while measured: ${readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 2).join(' ')}\n`);
for (const pool of pools.values()) for (const client of pool) client.close();
await Promise.all([real.stop(), mesh.stop(), model.stop()]);
process.exit(0);

async function openMany({ ws, token }: Side, count: number): Promise<LoadClient[]> {
  const pool: LoadClient[] = [];
  while (pool.length < count) pool.push(...(await Promise.all(Array.from({ length: 10 }, () => LoadClient.open(ws, token)))));
  return pool;
}

async function inTurns(what: string, unit: string, goal: string, measure: (side: Side) => Promise<number>): Promise<void> {
  const results = new Map<string, number[]>(sides.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const side of round % 2 === 0 ? sides : [...sides].reverse()) results.get(side.name)?.push(await measure(side));
  }
  for (const [name, values] of results) print(`${what}, ${name}`, unit, values);
  print(`${what}, ours to OpenClaw`, 'ratio', ratios(results.get('ours') ?? [], results.get('OpenClaw') ?? []), { ratioTo: `${what}, OpenClaw`, goal });
}
