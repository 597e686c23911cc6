import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { repositoryRoot } from '@plexus/local-stack';
import { between } from '../src/report/markers.js';
import { sizeFor } from '../src/simulate/capacity.js';
import { EventQueue, Station } from '../src/simulate/event-queue.js';
import { readInputs } from '../src/simulate/inputs.js';
import { scalingPictures } from '../src/simulate/scaling-pictures.js';
import { scalingTables } from '../src/simulate/scaling-tables.js';
import { simulateQueue, simulateStorm } from '../src/simulate/storm.js';

/** Mean time in an M/M/c system, in ms (Erlang C). */
function erlang(perSecond: number, workMs: number, servers: number): number {
  const offered = (perSecond * workMs) / 1_000;
  let term = 1;
  let sum = 0;
  for (let at = 0; at < servers; at += 1) {
    sum += term;
    term *= offered / (at + 1);
  }
  const waiting = (term * servers) / (servers - offered);
  return ((waiting / (sum + waiting)) * workMs) / (servers - offered) + workMs;
}

describe('docs/scaling.md', () => {
  const inputs = readInputs();
  const text = readFileSync(path.join(repositoryRoot(), 'docs/scaling.md'), 'utf8');

  it.each(Object.entries(scalingTables(inputs)))('has the %s that the program computes (else run `npm run simulate`)', (name, table) => {
    expect(between(text, name)).toBe(table);
  });

  it('has the pictures that the program draws', () => {
    for (const [name, svg] of Object.entries(scalingPictures(inputs))) {
      const file = path.join(repositoryRoot(), 'docs/images', name);
      expect(existsSync(file)).toBe(true);
      expect(readFileSync(file, 'utf8')).toBe(`${svg}\n`);
    }
  });
});

describe('the model', () => {
  const inputs = readInputs();

  it('needs more of everything for more people, and uses more of every limit', () => {
    const [small, large] = [sizeFor(100_000, inputs), sizeFor(1_000_000, inputs)];
    for (const [service, count] of Object.entries(large.replicas)) expect(count).toBeGreaterThanOrEqual(small.replicas[service as keyof typeof small.replicas]);
    for (const { name, used } of large.limits) expect(used).toBeGreaterThanOrEqual(small.limits.find((limit) => limit.name === name)?.used ?? 0);
    expect(large.operationsPerSecond).toBeCloseTo(10 * small.operationsPerSecond);
  });

  it.each([
    [50, 10, 1],
    [150, 10, 2],
    [300, 10, 4],
  ])('waits in queues as the theory says: %s per second of %s ms at %s servers', (perSecond, workMs, servers) => {
    const { mean, utilisation } = simulateQueue({ perSecond, workMs, servers, seconds: 150, seed: 3 });
    expect(Math.abs(mean / erlang(perSecond, workMs, servers) - 1)).toBeLessThan(0.05);
    expect(Math.abs(utilisation / ((perSecond * workMs) / 1_000 / servers) - 1)).toBeLessThan(0.03);
  });

  it('serves in the order of arrival, as many at a time as there are servers', () => {
    const queue = new EventQueue();
    const station = new Station(queue, 2);
    const done: string[] = [];
    for (const [name, time] of [
      ['a', 10],
      ['b', 30],
      ['c', 5],
    ] as const) {
      station.serve(time, () => done.push(`${name}@${queue.now}`));
    }
    queue.run();
    expect(done).toEqual(['a@10', 'c@15', 'b@30']);
  });

  it('brings every client back after a storm, the same way for the same seed', () => {
    const input = { clients: 3_000, gateways: 2, handshakeMs: 3, spreadMs: 0, seed: 5 };
    const storm = simulateStorm(input);
    expect(storm).toEqual(simulateStorm(input));
    expect(storm.all).toBeGreaterThanOrEqual((3_000 * 0.003) / 2);
    expect(storm.triesPerClient).toBeGreaterThanOrEqual(1);
  });

  it('shows that a storm beyond what is answered in time multiplies itself, and that a spread prevents it', () => {
    const crowd = { clients: 15_000, gateways: 1, handshakeMs: 3, seed: 5 };
    expect(simulateStorm({ ...crowd, spreadMs: 0 }).triesPerClient).toBeGreaterThan(simulateStorm({ ...crowd, spreadMs: 120_000 }).triesPerClient);
  });
});
