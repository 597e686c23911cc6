// Route resolution in process: the compiled routes beside the two common shapes, at 10, 100 and 10,000 bindings. A call is one synchronous
// resolution including its session keys; all variants run in turns over the same messages.
import { deepStrictEqual } from 'node:assert';
import { type BindingEntry, compileRoutes, type RouteInput, type RoutingConfig, resolveRoute } from '@plexus/routing-core';
import { filterPerCall, indexAndMemo } from './shapes.ts';

const ROUNDS = 7;
const SLICE_MS = 250;
const SIZES = [10, 100, 10_000];
const CHANNELS = ['telegram', 'slack', 'discord', 'whatsapp'];
const ACCOUNTS = ['default', 'biz'];
const AGENTS = ['main', 'ops', 'sales', 'support', 'research'];
/** More different messages than any memo holds, and as few as a quiet evening has. */
const DISTINCT = 20_000;
const HOT = 64;

function configOf(size: number): RoutingConfig {
  const bindings: BindingEntry[] = Array.from({ length: size }, (_, n) => {
    const channel = CHANNELS[n % CHANNELS.length] as string;
    const accountId = ACCOUNTS[Math.floor(n / CHANNELS.length) % ACCOUNTS.length] as string;
    const agentId = AGENTS[n % AGENTS.length] as string;
    if (n % 50 === 7) return { agentId, match: { channel, accountId, guildId: `g${n}` } };
    if (n % 50 === 8) return { agentId, match: { channel, accountId, teamId: `t${n}` } };
    if (n % 50 === 9) return { agentId, match: { channel, accountId: n % 100 === 9 ? '*' : accountId } };
    return { agentId, match: { channel, accountId, peer: { kind: n % 3 === 0 ? 'group' : 'dm', id: `p${n}` } } };
  });
  const identityLinks = { ann: ['telegram:p1', 'slack:p5'], bob: ['discord:p2'] };
  return { agents: { list: AGENTS.map((id, n) => ({ id, default: n === 0 })) }, bindings, session: { dmScope: 'per-channel-peer', identityLinks } };
}

/** Two of three messages come from a bound conversation, the rest from guilds, teams and strangers. */
function messagesOf(config: RoutingConfig, count: number): RouteInput[] {
  const bindings = config.bindings as BindingEntry[];
  return Array.from({ length: count }, (_, n) => {
    const { match } = bindings[(n * 7_919) % bindings.length] as BindingEntry;
    const stranger = { kind: n % 2 === 0 ? 'dm' : 'channel', id: `s${n}` };
    const peer = n % 3 === 2 ? stranger : (match.peer ?? stranger);
    return { channel: match.channel, accountId: match.accountId === '*' ? 'biz' : match.accountId, peer, guildId: match.guildId, teamId: match.teamId };
  });
}

/** Resolutions per second, over whole passes of a batch so that the clock costs nothing. */
function rate(resolve: (input: RouteInput) => unknown, messages: readonly RouteInput[], ms: number): number {
  const batch = 32;
  const startedAt = performance.now();
  let done = 0;
  let at = 0;
  while (performance.now() - startedAt < ms) {
    for (let n = 0; n < batch; n += 1) {
      resolve(messages[at] as RouteInput);
      at = at + 1 === messages.length ? 0 : at + 1;
    }
    done += batch;
  }
  return (done * 1_000) / (performance.now() - startedAt);
}

function print(name: string, unit: string, values: readonly number[], rest: { ratioTo?: string; goal?: string } = {}): void {
  const round = (value: number): number => (value >= 100 ? Math.round(value) : Math.round(value * 100) / 100);
  const sorted = [...values].sort((one, other) => one - other);
  const median = round(sorted[Math.floor(sorted.length / 2)] as number);
  const [min, max] = [round(sorted[0] as number), round(sorted.at(-1) as number)];
  process.stdout.write(`${JSON.stringify({ name, value: median, unit, median, min, max, runs: values.length, ...rest })}\n`);
}

const EARLY_GOALS = new Map([
  [10, '>= 4'],
  [100, '>= 15'],
  [10_000, '>= 500'],
]);

for (const size of SIZES) {
  const config = configOf(size);
  const routes = compileRoutes(config, 1);
  const distinct = messagesOf(config, DISTINCT);
  const hot = distinct.slice(0, HOT);
  for (const message of distinct.slice(0, size > 1_000 ? 200 : 2_000)) {
    const route = resolveRoute(routes, message);
    deepStrictEqual(filterPerCall(config, message), route);
    deepStrictEqual(indexAndMemo(config, message), route);
  }
  const variants: [string, (input: RouteInput) => unknown, RouteInput[]][] = [
    ['compiled routes, distinct messages', (input) => resolveRoute(routes, input), distinct],
    ['compiled routes, hot messages', (input) => resolveRoute(routes, input), hot],
    ['list filtered per call', (input) => filterPerCall(config, input), distinct],
    ['index and memo, distinct messages', (input) => indexAndMemo(config, input), distinct],
    ['index and memo, hot messages', (input) => indexAndMemo(config, input), hot],
  ];
  const results = new Map<string, number[]>(variants.map(([name]) => [name, []]));
  for (const [, resolve, messages] of variants) rate(resolve, messages, SLICE_MS);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, resolve, messages] of round % 2 === 0 ? variants : [...variants].reverse()) results.get(name)?.push(rate(resolve, messages, SLICE_MS));
  }
  const figure = (name: string): string => `resolve, ${size.toLocaleString('en')} bindings, ${name}`;
  const ours = 'compiled routes, distinct messages';
  for (const [name, values] of results) print(figure(name), 'resolves/s', values, name === ours && size === 10_000 ? { goal: '>= 1000000' } : {});
  const ratio = (of: string, to: string, goal: string | undefined): void => {
    const base = results.get(to) as number[];
    const values = (results.get(of) as number[]).map((value, round) => value / (base[round] as number));
    print(figure(of), 'ratio', values, { ratioTo: figure(to), ...(goal === undefined ? {} : { goal }) });
  };
  ratio(ours, 'list filtered per call', EARLY_GOALS.get(size));
  ratio(ours, 'index and memo, distinct messages', size === 10_000 ? '>= 6' : undefined);
  ratio('compiled routes, hot messages', 'index and memo, hot messages', size === 10_000 ? '>= 3' : undefined);
}

const large = configOf(10_000);
const compiles = Array.from({ length: 15 }, () => {
  const startedAt = performance.now();
  compileRoutes(large, 1);
  return performance.now() - startedAt;
});
print('compile 10,000 bindings', 'ms', compiles.slice(3));
