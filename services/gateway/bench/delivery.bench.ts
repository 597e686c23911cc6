// One event through a whole gateway to 10,000 sockets: published to JetStream by another process, read back by the gateway as any other, framed and written.
// Measured from the publish until the last client has it, and what the gateway's processor works for it; the clients are another process on the same cores, and
// do nothing but tell frames apart. Ends within 100 s: fewer turns where the machine is slow.
import { readFileSync } from 'node:fs';
import { sessionContracts } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import { Crowd, portOf } from './support/crowd.ts';
import { print } from './support/figures.ts';
import { workedMs } from './support/processor.ts';
import { memoryOf, startGateway } from './support/servers.ts';

const WANTED = Number(process.env.BENCH_CLIENTS ?? 10_000);
const AT_ONCE = 16;
const WARM_UP = 3;
const TURNS = 15;
const ENOUGH_S = 80;
const KIB = 1_024;

const startedAt = performance.now();
const descriptors = Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 0);
const clients = Math.min(WANTED, descriptors - 500);
if (clients < WANTED) process.stdout.write(`${clients} instead of ${WANTED} connections: one process may have ${descriptors} open files here (ulimit -n)\n`);

const gateway = await startGateway();
const pid = gateway.child.pid as number;
const crowd = await Crowd.start();
const worked = workedMs([pid]);
const seconds = await crowd.open({ port: portOf(gateway.ws), token: gateway.token }, clients, AT_ONCE);
print(`${clients} connections opened`, 'connections/s', [clients / seconds]);
print(`${clients} connections opened, gateway`, 'CPU us per connection', [((workedMs([pid]) - worked) * 1_000) / clients]);

const session = { sessionId: ulid(), sessionKey: 'agent:main:bench', owner: 'me', agentId: 'main' };
const before = await memoryOf(gateway.child);
for (const count of [1, 10]) {
  const times: number[] = [];
  const costs: number[] = [];
  for (let turn = 0; turn < WARM_UP + TURNS && (performance.now() - startedAt) / 1_000 < ENOUGH_S; turn += 1) {
    const { ms, cpuMs } = await deliver(count, `delivery ${count} ${turn}.`);
    if (turn < WARM_UP) continue;
    times.push(ms);
    costs.push((cpuMs * 1_000) / (count * clients));
  }
  const what = `${count === 1 ? 'one stored event' : `${count} stored events`} to ${clients} connections`;
  print(`${what}, from publish until the last has it`, 'ms', times);
  print(
    what,
    'deliveries/s',
    times.map((ms) => (count * clients * 1_000) / ms),
  );
  print(`${what}, gateway`, 'CPU us/delivery', costs);
}
const after = await memoryOf(gateway.child);
print('heap and buffers after that, above those before, per connection', 'KiB', [
  (after.heap + after.external - before.heap - before.external) / KIB / clients,
]);
print('resident memory after that', 'MiB', [after.rss / KIB / KIB]);
const { open } = await crowd.state();
if (open !== clients) throw new Error(`${clients - open} connections were lost`);
process.stdout.write(`load average while measured: ${readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 2).join(' ')}\n`);
crowd.stop();
await gateway.stop();
process.exit(0);

/** Publishes so many events at once and waits until every client has all of them. */
async function deliver(count: number, marker: string): Promise<{ ms: number; cpuMs: number }> {
  await crowd.expect(marker);
  const [from, worked] = [performance.now(), workedMs([pid])];
  const publish = (index: number) =>
    gateway.bus.publish(sessionContracts.sessionEvent, {
      tenant: 'default',
      key: [session.sessionId],
      data: { ...session, event: { type: 'message', text: `${marker} ${index}`, messageId: ulid() } },
    });
  await Promise.all(Array.from({ length: count }, (_, index) => publish(index)));
  await crowd.await(count);
  return { ms: performance.now() - from, cpuMs: workedMs([pid]) - worked };
}
