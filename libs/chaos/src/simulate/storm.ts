import { Random } from '../random.js';
import { EventQueue, Station } from './event-queue.js';

export interface StormInput {
  readonly clients: number;
  readonly gateways: number;
  /** CPU of one handshake with resume, in ms: what one gateway's thread spends. */
  readonly handshakeMs: number;
  /** Clients come back spread over so many ms, as a gateway that goes asks them to; 0: as their own back-off says. */
  readonly spreadMs: number;
  readonly seed: number;
}

export interface StormResult {
  /** Seconds until this share of the clients is back. */
  readonly half: number;
  readonly most: number;
  readonly all: number;
  readonly triesPerClient: number;
  readonly longestQueue: number;
}

/** What `GatewayClient` does: a hello within 15 s or it tries again, 1 s, 2 s … 60 s, the upper half of each pause random. */
const HELLO_TIMEOUT_MS = 15_000;
const BASE_MS = 1_000;
const CAP_MS = 60_000;
/** Sockets without hello that one gateway takes at a time; more are refused at once. */
const UNAUTHENTICATED = 2_000;

/** Every client has lost its connection at the same moment and comes back. A handshake that is finished too late was work for nothing. */
export function simulateStorm({ clients, gateways, handshakeMs, spreadMs, seed }: StormInput): StormResult {
  const queue = new EventQueue();
  const random = new Random(seed);
  const stations = Array.from({ length: gateways }, () => new Station(queue, 1));
  const back: number[] = [];
  let tries = 0;
  let longestQueue = 0;
  const attempt = (failures: number): void => {
    tries += 1;
    const station = stations[random.between(0, gateways - 1)] as Station;
    if (station.length >= UNAUTHENTICATED) {
      retry(failures + 1);
      return;
    }
    let over = false;
    queue.after(HELLO_TIMEOUT_MS, () => {
      if (over) return;
      over = true;
      retry(failures + 1);
    });
    station.serve(handshakeMs, () => {
      if (over) return;
      over = true;
      back.push(queue.now);
    });
    longestQueue = Math.max(longestQueue, station.length);
  };
  const retry = (failures: number): void => {
    const pause = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(failures, 10));
    queue.after(pause / 2 + (pause / 2) * random.next(), () => attempt(failures));
  };
  for (let client = 0; client < clients; client += 1) {
    if (spreadMs > 0) queue.after(random.next() * spreadMs, () => attempt(0));
    else retry(0);
  }
  queue.run();
  const at = (share: number): number => (back[Math.min(back.length - 1, Math.floor(back.length * share))] as number) / 1_000;
  return { half: at(0.5), most: at(0.99), all: at(1), triesPerClient: tries / clients, longestQueue };
}

export interface QueueInput {
  readonly perSecond: number;
  /** Mean work of one, in ms, drawn from an exponential distribution. */
  readonly workMs: number;
  readonly servers: number;
  readonly seconds: number;
  readonly seed: number;
}

/** Waiting and work of independent arrivals at one station, in ms. */
export function simulateQueue({ perSecond, workMs, servers, seconds, seed }: QueueInput): { p50: number; p99: number; mean: number; utilisation: number } {
  const queue = new EventQueue();
  const random = new Random(seed);
  const station = new Station(queue, servers);
  const took: number[] = [];
  let at = 0;
  while (at < seconds * 1_000) {
    at += random.exponentialMs(perSecond);
    const work = random.exponentialMs(1_000 / workMs);
    queue.after(at, () => {
      const arrived = queue.now;
      station.serve(work, () => took.push(queue.now - arrived));
    });
  }
  queue.run();
  took.sort((a, b) => a - b);
  const percentile = (share: number): number => took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? 0;
  const mean = took.reduce((sum, one) => sum + one, 0) / Math.max(1, took.length);
  return { p50: percentile(0.5), p99: percentile(0.99), mean, utilisation: station.worked / (queue.now * servers) };
}
