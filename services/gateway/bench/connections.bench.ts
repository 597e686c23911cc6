// What a request costs at the gateway, against a bare `ws` server that does nothing but echo. Both are processes with the flags of a service. A request is
// `health` with parsing, validation, a span and an answer.
import { readFileSync } from 'node:fs';
import { print, ratios } from './support/figures.ts';
import { LoadClient, rate } from './support/load-client.ts';
import { startBareEcho, startGateway } from './support/servers.ts';

const ROUNDS = 9;
const SLICE_MS = 500;

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

process.stdout.write(`load average while measured: ${readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 2).join(' ')}\n`);
await Promise.all([gateway.stop(), bare.stop()]);
process.exit(0);
