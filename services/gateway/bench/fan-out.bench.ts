// One event to many sockets, and ten in one turn of the event loop: our client endpoint with everything that an event passes there, bare `ws`, socket.io,
// and a loop of write() in C. Every server is a process of its own with as many connections to a process that throws away what comes. Measured is the time
// until the kernel has taken everything, in turns.
import { type ChildProcess, execFileSync, fork, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { print, ratios } from './support/figures.ts';

const here = import.meta.dirname;
const ROUNDS = 15;
const payload = { runId: 'run-1', sessionKey: 'agent:main:main', seq: 7, state: 'delta', deltaText: 'x'.repeat(150) };
const FRAME_BYTES = JSON.stringify({ type: 'event', event: 'chat', payload, seq: 1 }).length + 4;

interface Side {
  readonly name: string;
  /** Microseconds for so many events. */
  send(count: number): Promise<number>;
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
    const answer = new Promise<{ micros: number }>((resolve) => server.once('message', (message) => resolve(message as { micros: number })));
    server.send({ count });
    return (await answer).micros;
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

async function floor(clients: number, binary: string): Promise<Side> {
  const server = spawn(binary, [String(clients), String(FRAME_BYTES)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const line = async () => String((await lines.next()).value);
  const reader = await sink('raw', Number(await line()), clients);
  await line();
  const send = async (count: number) => {
    server.stdin.write(`${count}\n`);
    return Number(await line());
  };
  return {
    name: 'C write loop',
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

for (const clients of [1_000]) {
  const sides = [await node('plexus', clients), await node('ws', clients), await node('socket.io', clients)];
  if (compiled.status === 0) sides.push(await floor(clients, path.join(folder, 'fan-out')));
  for (const count of [1, 10]) {
    for (const side of sides) for (let warm = 0; warm < 20; warm += 1) await side.send(count);
    const rates = new Map<string, number[]>(sides.map(({ name }) => [name, []]));
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const side of round % 2 === 0 ? sides : [...sides].reverse()) {
        let micros = 0;
        for (let time = 0; time < 5; time += 1) micros += await side.send(count);
        rates.get(side.name)?.push((5 * count * clients * 1e6) / micros);
      }
    }
    const what = `${count === 1 ? 'one event' : `${count} events in one turn`}, ${clients} clients`;
    for (const [name, values] of rates) print(`fan-out of ${what}, ${name}`, 'deliveries/s', values);
    const ours = rates.get('our endpoint') ?? [];
    const goals: Record<string, string> = count === 1 ? { 'C write loop': '>= 0.70', 'socket.io': '>= 1.4' } : { 'C write loop': '>= 5', 'socket.io': '>= 10' };
    for (const [name, goal] of Object.entries(goals)) {
      const other = rates.get(name);
      if (other !== undefined) print(`fan-out of ${what}, ours to ${name}`, 'ratio', ratios(ours, other), { ratioTo: `fan-out of ${what}, ${name}`, goal });
    }
  }
  for (const side of sides) side.stop();
}
rmSync(folder, { recursive: true });
process.stdout.write(`load average while measured: ${execFileSync('cat', ['/proc/loadavg'], { encoding: 'utf8' }).split(' ').slice(0, 2).join(' ')}\n`);
process.exit(0);
