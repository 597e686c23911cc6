// Many clients as a process of its own, told by messages what to do. Answers `{ready}` at the start and one message to each order.
import { RawPeer, type Target } from './raw-peer.ts';

export type Order =
  | { readonly do: 'open'; readonly target: Target; readonly count: number; readonly atOnce: number }
  | { readonly do: 'handshakes'; readonly target: Target; readonly atOnce: number; readonly ms: number }
  | { readonly do: 'expect'; readonly marker: string }
  | { readonly do: 'await'; readonly events: number }
  | { readonly do: 'state' }
  | { readonly do: 'close' };

export interface State {
  readonly open: number;
  readonly closed: number;
  readonly fewestPings: number;
  readonly fewestEvents: number;
}

/** Ports of one address, less what others need. */
const PER_ADDRESS = 20_000;
const peers: RawPeer[] = [];

process.on('message', async (order: Order) => {
  try {
    process.send?.({ done: await follow(order) });
  } catch (error) {
    process.send?.({ failed: String(error) });
  }
});
process.on('disconnect', () => process.exit(0));
process.send?.({ ready: true });

async function follow(order: Order): Promise<unknown> {
  switch (order.do) {
    case 'open':
      return open(order.target, order.count, order.atOnce);
    case 'handshakes':
      return handshakes(order.target, order.atOnce, order.ms);
    case 'expect':
      for (const peer of peers) {
        peer.marker = Buffer.from(order.marker);
        peer.events = 0;
      }
      return undefined;
    case 'await':
      while (peers.some(({ events, closed }) => events < order.events && !closed)) await new Promise((resolve) => setTimeout(resolve, 1));
      return state();
    case 'state':
      return state();
    case 'close':
      for (const peer of peers.splice(0)) peer.close();
      return undefined;
  }
}

async function open(target: Target, count: number, atOnce: number): Promise<number> {
  const startedAt = performance.now();
  let left = count;
  const lane = async () => {
    while (left > 0) {
      left -= 1;
      const from = `127.0.0.${1 + Math.floor(peers.length / PER_ADDRESS)}`;
      peers.push(await RawPeer.open({ ...target, from }));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return (performance.now() - startedAt) / 1_000;
}

/** Handshakes per second. */
async function handshakes(target: Target, atOnce: number, ms: number): Promise<number> {
  const startedAt = performance.now();
  let count = 0;
  const lane = async () => {
    while (performance.now() - startedAt < ms) {
      (await RawPeer.open(target)).close();
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return (count * 1_000) / (performance.now() - startedAt);
}

function state(): State {
  const living = peers.filter(({ closed }) => !closed);
  return {
    open: living.length,
    closed: peers.length - living.length,
    fewestPings: Math.min(...living.map(({ pings }) => pings)),
    fewestEvents: Math.min(...living.map(({ events }) => events)),
  };
}
