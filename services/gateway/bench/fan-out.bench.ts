// One event to many sockets, and ten in one turn of the event loop: our client endpoint with everything that an event passes there, bare `ws`, socket.io,
// and a loop of write() in C. Every server is a process of its own with as many connections to a process that throws away what comes. Measured is the time
// until the kernel has taken everything, in turns, and what the processor worked for it: where other programs run beside, the time tells of them, too.
import { type ChildProcess, execFileSync, fork, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { print, ratios } from './support/figures.ts';

const here = import.meta.dirname;
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 15);
/** What the kernel alone takes for the same bytes in as few writes as there can be. */
const FLOOR = 'C loop of joint writes';
const SIZES = (process.env.BENCH_CLIENTS ?? '1000,10000').split(',').map(Number);
const payload = { runId: 'run-1', sessionKey: 'agent:main:main', seq: 7, state: 'delta', deltaText: 'x'.repeat(150) };
const FRAME_BYTES = JSON.stringify({ type: 'event', event: 'chat', payload, seq: 1 }).length + 4;

/** Microseconds: from the first byte until the kernel had all, and of the processor. */
interface Taken {
  readonly micros: number;
  readonly worked: number;
}

interface Side {
  readonly name: string;
  /** Sends so many events to everybody. */
  send(count: number): Promise<Taken>;
  stop(): void;
}

const once = <T>(child: ChildProcess, wanted: (message: T) => boolean): Promise<T> =>
  new Promise((resolve, reject) => {
    child.on('message', (message) => wanted(message as T) && resolve(message as T));
    child.once('exit', (code) => reject(new Error(`a process ended with ${code}`)));
  });
const flags = { execArgv: ['--no-warnings', '--max-semi-space-size=16'] };

async function sink(kind: string, port: number, clients: number): Promise<ChildProcess> {
  const child = fork(path.join(here, 'support/sink.ts'), [kind, String(port), String(clients)], flags);
  await once(child, (message) => message === 'ready');
  return child;
}

async function node(kind: 'plexus' | 'ws' | 'socket.io', clients: number): Promise<Side> {
  const server = fork(path.join(here, 'support/fan-out-server.ts'), [kind, JSON.stringify(payload)], flags);
  const { port } = await once<{ port?: number }>(server, (message) => message.port !== undefined);
  const reader = await sink(kind, port as number, clients);
  server.send({ expect: clients });
  await once<{ ready?: true }>(server, ({ ready }) => ready === true);
  const send = async (count: number) => {
    const answer = new Promise<Taken>((resolve) => server.once('message', (message) => resolve(message as Taken)));
    server.send({ count });
    return answer;
  };
  return {
    name: kind === 'plexus' ? 'our endpoint' : kind,
    send,
    stop: () => {
      reader.disconnect();
      server.disconnect();
    },
  };
}

async function floor(clients: number, binary: string, joint: boolean): Promise<Side> {
  const server = spawn(binary, [String(clients), String(FRAME_BYTES)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const line = async () => String((await lines.next()).value);
  const reader = await sink('raw', Number(await line()), clients);
  await line();
  const send = async (count: number) => {
    server.stdin.write(`${count} ${joint ? 1 : 0}\n`);
    const [micros, worked] = (await line()).split(' ').map(Number) as [number, number];
    return { micros, worked };
  };
  return {
    name: joint ? FLOOR : 'C write loop',
    send,
    stop: () => {
      server.stdin.end();
      reader.disconnect();
    },
  };
}

const folder = mkdtempSync(path.join(os.tmpdir(), 'plexus-fan-out-'));
const compiled = spawnSync('cc', ['-O2', '-o', path.join(folder, 'fan-out'), path.join(here, 'support/fan-out.c')]);
if (compiled.status !== 0) process.stdout.write('C write loop: skipped, there is no C compiler\n');

for (const clients of SIZES) {
  const sides = [await node('plexus', clients), await node('ws', clients), await node('socket.io', clients)];
  const binary = path.join(folder, 'fan-out');
  if (compiled.status === 0) sides.push(await floor(clients, binary, false), await floor(clients, binary, true));
  for (const count of [1, 10]) {
    const repeats = Math.ceil(50_000 / (count * clients));
    for (const side of sides) for (let warm = 0; warm < 20; warm += 1) await side.send(count);
    const rates = new Map<string, number[]>(sides.map(({ name }) => [name, []]));
    const costs = new Map<string, number[]>(sides.map(({ name }) => [name, []]));
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const side of round % 2 === 0 ? sides : [...sides].reverse()) {
        const total = { micros: 0, worked: 0 };
        for (let time = 0; time < repeats; time += 1) {
          const { micros, worked } = await side.send(count);
          total.micros += micros;
          total.worked += worked;
        }
        rates.get(side.name)?.push((repeats * count * clients * 1e6) / total.micros);
        costs.get(side.name)?.push(total.worked / (repeats * count * clients));
      }
    }
    const what = `${count === 1 ? 'one event' : `${count} events in one turn`}, ${clients} clients`;
    for (const [name, values] of rates) print(`fan-out of ${what}, ${name}`, 'deliveries/s', values);
    for (const [name, values] of costs) print(`fan-out of ${what}, ${name}, processor`, 'us/delivery', values);
    const ours = rates.get('our endpoint') ?? [];
    const goals: Record<string, string | undefined> =
      count === 1 ? { 'C write loop': '>= 0.70', 'socket.io': '>= 1.4' } : { 'C write loop': '>= 5', 'socket.io': '>= 10', [FLOOR]: undefined };
    for (const [name, goal] of Object.entries(goals)) {
      const other = rates.get(name);
      if (other === undefined) continue;
      const judged = goal === undefined ? {} : { goal };
      print(`fan-out of ${what}, ours to ${name}`, 'ratio', ratios(ours, other), { ratioTo: `fan-out of ${what}, ${name}`, ...judged });
      const cost = ratios(costs.get(name) ?? [], costs.get('our endpoint') ?? []);
      print(`fan-out of ${what}, ours to ${name}, for the same work of the processor`, 'ratio', cost, {
        ratioTo: `fan-out of ${what}, ${name}, processor`,
        ...judged,
      });
    }
  }
  for (const side of sides) side.stop();
}
rmSync(folder, { recursive: true });
process.stdout.write(`load average while measured: ${execFileSync('cat', ['/proc/loadavg'], { encoding: 'utf8' }).split(' ').slice(0, 2).join(' ')}\n`);
process.exit(0);
