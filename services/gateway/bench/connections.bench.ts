// What a request and an idle connection cost at the gateway, against a bare `ws` server that does nothing but echo. Both are processes with the flags of a
// service. A request is `health` with hello, parsing, validation and an answer; memory is what the process grows by per connection after its hello.
import { readFileSync } from 'node:fs';
import { print, ratios } from './support/figures.ts';
import { LoadClient, rate } from './support/load-client.ts';
import { type Running, resident, startBareEcho, startGateway } from './support/servers.ts';

const ROUNDS = 9;
const SLICE_MS = 500;
const IDLE = Number(process.env.BENCH_IDLE ?? 10_000);
const AT_ONCE = 50;

const descriptors = Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 0);
const idle = Math.min(IDLE, descriptors - 500);
if (idle < IDLE) process.stdout.write(`only ${idle} connections: ${descriptors} open files are allowed\n`);

const gateway = await startGateway();
const bare = await startBareEcho();
const [ours, echo] = [await LoadClient.open(gateway.ws, gateway.token), await LoadClient.open(bare.ws)];
const sides = [
  { name: 'gateway', operation: () => ours.ask('health') },
  { name: 'bare ws echo', operation: () => echo.ask('health') },
];
for (const [inFlight, goal] of [
  [1, '>= 0.6'],
  [64, '>= 0.6'],
] as const) {
  const rates = new Map<string, number[]>(sides.map(({ name }) => [name, []]));
  for (const { operation } of sides) await rate(operation, inFlight, 1_000);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { name, operation } of round % 2 === 0 ? sides : [...sides].reverse()) rates.get(name)?.push(await rate(operation, inFlight, SLICE_MS));
  }
  for (const [name, values] of rates) print(`round trips, ${inFlight} in flight, ${name}`, 'requests/s', values);
  const base = `round trips, ${inFlight} in flight, bare ws echo`;
  print(`round trips, ${inFlight} in flight, gateway to bare ws echo`, 'ratio', ratios(rates.get('gateway') ?? [], rates.get('bare ws echo') ?? []), {
    ratioTo: base,
    goal,
  });
}
ours.close();
echo.close();

const perConnection = new Map<string, number>();
for (const [name, server, token] of [
  ['bare ws', bare, undefined],
  ['gateway, authenticated', gateway, gateway.token],
] as const) {
  const { kib, seconds } = await grow(server, token);
  perConnection.set(name, kib);
  print(`memory of one of ${idle} idle connections, ${name}`, 'KiB', [kib]);
  print(`${idle} connections opened, ${name}`, 'connections/s', [idle / seconds]);
}
const [bareKib, ourKib] = [perConnection.get('bare ws') as number, perConnection.get('gateway, authenticated') as number];
print('memory of an idle connection, gateway to bare ws', 'ratio', [ourKib / bareKib], {
  ratioTo: `memory of one of ${idle} idle connections, bare ws`,
  goal: '<= 1.5',
});
process.stdout.write(`load average while measured: ${readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 2).join(' ')}\n`);
await Promise.all([gateway.stop(), bare.stop()]);
process.exit(0);

/** Opens idle connections and says what each has cost. */
async function grow(server: Running, token: string | undefined): Promise<{ kib: number; seconds: number }> {
  const warm = await Promise.all(Array.from({ length: AT_ONCE }, () => LoadClient.open(server.ws, token)));
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const before = resident(server.child);
  const startedAt = performance.now();
  const clients: LoadClient[] = [];
  while (clients.length < idle) {
    const count = Math.min(AT_ONCE, idle - clients.length);
    clients.push(...(await Promise.all(Array.from({ length: count }, () => LoadClient.open(server.ws, token)))));
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  // Until the collector has taken what the handshakes left behind.
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  const kib = (resident(server.child) - before) / idle;
  for (const client of [...clients, ...warm]) client.close();
  return { kib, seconds };
}
