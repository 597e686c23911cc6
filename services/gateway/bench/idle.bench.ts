// Many idle connections at one gateway: what each holds against a bare `ws` server, what the process works while nobody says anything, and whether all live
// after some heartbeats (how an event reaches all of them: `delivery.bench.ts`). Both servers are processes with the flags of a service; the clients are the same program.
import { readFileSync } from 'node:fs';
import { Crowd, portOf } from './support/crowd.ts';
import { print } from './support/figures.ts';
import { memoryOf, type Running, startBareEcho, startGateway } from './support/servers.ts';

const WANTED = Number(process.env.BENCH_IDLE ?? 10_000);
const WARM = 100;
const AT_ONCE = 16;
const HEARTBEATS = 2;
const REST_MS = 15_000;

const descriptors = Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 0);
const idle = Math.min(WANTED, descriptors - 500);
if (idle < WANTED) {
  process.stdout.write(`${idle} instead of ${WANTED} connections: one process may have ${descriptors} open files here (ulimit -n)\n`);
}

interface PerConnection {
  readonly heap: number;
  readonly rss: number;
}

const bare = await startBareEcho();
const bareCrowd = await Crowd.start();
const bareMemory = await grow('bare ws', bare, undefined, bareCrowd);
bareCrowd.stop();
await bare.stop();

const gateway = await startGateway();
const crowd = await Crowd.start();
const ours = await grow('gateway, authenticated', gateway, gateway.token, crowd);
for (const [kind, goal] of [
  ['heap', '<= 1.5'],
  ['rss', undefined],
] as const) {
  const name = `${kind === 'heap' ? 'heap and buffers' : 'resident memory'} of one of ${idle} idle connections`;
  print(`${name}, gateway to bare ws`, 'ratio', [ours[kind] / bareMemory[kind]], { ratioTo: `${name}, bare ws`, ...(goal && { goal }) });
}
print(`state of ours in one of ${idle} idle connections: heap and buffers above those of bare ws`, 'KiB', [ours.heap - bareMemory.heap], { goal: '<= 4' });

const before = await memoryOf(gateway.child);
const restFrom = performance.now();
await pause(REST_MS);
const worked = (await memoryOf(gateway.child)).cpuMs - before.cpuMs;
print(`processor at rest with ${idle} connections (pings every 25 s, ticks every 15 s)`, '% of one core', [(worked * 100) / (performance.now() - restFrom)]);
print(`processor at rest with ${idle} connections`, 'CPU us per connection and second', [(worked * 1_000) / ((performance.now() - restFrom) / 1_000) / idle]);

let state = await crowd.state();
for (let waited = 0; state.fewestPings < HEARTBEATS && state.open > 0 && waited < 120; waited += 1) {
  await pause(1_000);
  state = await crowd.state();
}
print(`connections alive after ${HEARTBEATS} heartbeats each`, 'connections', [state.open], { goal: `>= ${idle}` });

const last = await crowd.state();
if (last.open !== idle) throw new Error(`${idle - last.open} connections were lost`);
process.stdout.write(`load average while measured: ${readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 2).join(' ')}\n`);
crowd.stop();
await gateway.stop();
process.exit(0);

/** Opens idle connections and says what each has cost, in KiB: of the heap with its buffers after a collection, and of resident memory. */
async function grow(name: string, server: Running, token: string | undefined, crowd: Crowd): Promise<PerConnection> {
  const target = { port: portOf(server.ws), token };
  await crowd.open(target, WARM, AT_ONCE);
  await crowd.closeAll();
  await pause(3_000);
  const empty = await memoryOf(server.child);
  const seconds = await crowd.open(target, idle, AT_ONCE);
  await pause(5_000);
  const full = await memoryOf(server.child);
  const kib = (to: number, from: number) => (to - from) / 1_024 / idle;
  const result = { heap: kib(full.heap + full.external, empty.heap + empty.external), rss: kib(full.rss, empty.rss) };
  print(`heap and buffers of one of ${idle} idle connections, ${name}`, 'KiB', [result.heap]);
  print(`resident memory of one of ${idle} idle connections, ${name}`, 'KiB', [result.rss]);
  print(`${idle} connections opened, ${name}`, 'connections/s', [idle / seconds]);
  return result;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
