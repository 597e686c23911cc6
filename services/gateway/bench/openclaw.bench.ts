// The gateway protocol side by side with the published OpenClaw gateway, same clients, in turns: handshakes, a cheap request on 50 connections, and injected
// messages to 200 connections that see them, one after the other and 16 in flight. Ours is the whole mesh, on the same two cores as the clients: an injected
// message is committed by routing (Postgres) and replicated through NATS before anybody hears of it; OpenClaw appends it to a file. Rates on so few cores tell
// of the clients as well; what the processor works for one operation (all processes of a server, and those they start) does not.
import { readFileSync } from 'node:fs';
import { openclawProgram, startFakeOpenAi, startOpenClawGateway, startTestMesh } from '@plexus/testing';
import { Crowd, portOf } from './support/crowd.ts';
import { print, ratios } from './support/figures.ts';
import { LoadClient, rate } from './support/load-client.ts';
import { workedMs } from './support/processor.ts';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const CONNECTIONS = 50;
const SUBSCRIBERS = 200;
/** Injected messages of one turn, and how many of them wait for their answer at once. */
const INJECTIONS = [
  { inFlight: 1, count: 20, goal: undefined },
  { inFlight: 16, count: 128, goal: '>= 10' },
  { inFlight: 64, count: 256, goal: undefined },
];
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
  { name: 'ours', ws: mesh.gateway.ws, token: mesh.token, pids: () => Object.values(mesh.pids()) },
  { name: 'OpenClaw', ws: real.ws, token: real.token, pids: () => [real.pid] },
];
type Side = (typeof sides)[number];

const crowd = await Crowd.start();
await inTurns('handshakes', 'handshakes/s', '>= 4', ({ ws, token }) => crowd.handshakes({ port: portOf(ws), token }, HANDSHAKES_AT_ONCE, 3_000));
crowd.stop();

const pools = new Map<string, LoadClient[]>();
for (const side of sides) pools.set(side.name, await openMany(side, CONNECTIONS));
await inTurns(`cheap requests (health), ${CONNECTIONS} connections`, 'requests/s', '>= 4', async ({ name }) => {
  const pool = (pools.get(name) ?? []).slice(0, CONNECTIONS);
  let next = 0;
  return rate(() => (pool[next++ % pool.length] as LoadClient).ask('health'), CONNECTIONS, 3_000);
});

const subscribers = new Map<string, Crowd>();
for (const pool of pools.values()) {
  for (const client of pool.splice(1)) client.close();
  await pool[0]?.ask('sessions.create', { key: 'bench' });
}
for (const { name, ws, token } of sides) {
  const crowd = await Crowd.start();
  await crowd.open({ port: portOf(ws), token }, SUBSCRIBERS, 8);
  subscribers.set(name, crowd);
}
const perMessage = new Map<string, number>();
for (const { name } of sides) perMessage.set(name, await eventsOfOne(name));
let turn = 0;
for (const { inFlight, count, goal } of INJECTIONS) {
  await inTurns(`injected messages to ${SUBSCRIBERS} connections, ${inFlight} in flight`, 'deliveries/s', goal, async ({ name }) => {
    turn += 1;
    const crowd = subscribers.get(name) as Crowd;
    await crowd.expect(`turn-${turn}.`);
    const startedAt = performance.now();
    let left = count;
    const lane = async () => {
      while (left > 0) {
        left -= 1;
        await inject(name, `turn-${turn}. message ${left}`);
      }
    };
    await Promise.all(Array.from({ length: inFlight }, lane));
    await crowd.await(count * (perMessage.get(name) as number));
    return (count * SUBSCRIBERS * 1_000) / (performance.now() - startedAt);
  });
}

process.stdout.write(`load average while measured: ${readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 2).join(' ')}\n`);
for (const pool of pools.values()) for (const client of pool) client.close();
for (const crowd of subscribers.values()) crowd.stop();
await Promise.all([real.stop(), mesh.stop(), model.stop()]);
process.exit(0);

async function inject(name: string, message: string): Promise<void> {
  const [client] = pools.get(name) as LoadClient[];
  const answer = await (client as LoadClient).ask('chat.inject', { sessionKey: 'agent:main:bench', message });
  if (!answer.includes('"ok":true')) throw new Error(`${name} refused: ${answer.slice(0, 300)}`);
}

/** How many events tell a connection of one message: a delivery is all of them. */
async function eventsOfOne(name: string): Promise<number> {
  const crowd = subscribers.get(name) as Crowd;
  await crowd.expect('the first message');
  await inject(name, 'the first message');
  await crowd.await(1);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  return (await crowd.state()).fewestEvents;
}

async function openMany({ ws, token }: Side, count: number): Promise<LoadClient[]> {
  const pool: LoadClient[] = [];
  while (pool.length < count) pool.push(...(await Promise.all(Array.from({ length: 10 }, () => LoadClient.open(ws, token)))));
  return pool;
}

async function inTurns(what: string, unit: string, goal: string | undefined, measure: (side: Side) => Promise<number>): Promise<void> {
  const results = new Map<string, number[]>(sides.map(({ name }) => [name, []]));
  const costs = new Map<string, number[]>(sides.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const side of round % 2 === 0 ? sides : [...sides].reverse()) {
      const [startedAt, worked] = [performance.now(), workedMs(side.pids())];
      const perSecond = await measure(side);
      const operations = (perSecond * (performance.now() - startedAt)) / 1_000;
      results.get(side.name)?.push(perSecond);
      costs.get(side.name)?.push(((workedMs(side.pids()) - worked) * 1_000) / operations);
    }
  }
  for (const [name, values] of costs)
    print(`${what}, ${name}, processor of all its processes`, `us/${unit.replace('/s', '').replace(/ies$/, 'y').replace(/s$/, '')}`, values);
  for (const [name, values] of results) print(`${what}, ${name}`, unit, values);
  print(`${what}, ours to OpenClaw`, 'ratio', ratios(results.get('ours') ?? [], results.get('OpenClaw') ?? []), {
    ratioTo: `${what}, OpenClaw`,
    ...(goal && { goal }),
  });
  const cost = ratios(costs.get('OpenClaw') ?? [], costs.get('ours') ?? []);
  print(`${what}, ours to OpenClaw, for the same work of the processor`, 'ratio', cost, { ratioTo: `${what}, OpenClaw, processor of all its processes` });
}
