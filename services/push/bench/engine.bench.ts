// Decisions per second of the pure engine on one core, with everything that a busy user has: preferences, silences, throttle, groups, an inhibition.
// The figure beside it writes the state as JSON after every decision, as a host does that remembers nothing.
import { PushPolicy } from '@plexus/contracts';
import { createEngine } from '../dist/src/domain/engine/engine.js';
import type { LogEvent, LogInput, UserState } from '../dist/src/domain/engine/types.js';

const ROUNDS = 7;
const EVENTS = 20_000;
const USERS = 200;
const T0 = Date.parse('2026-11-21T10:00:00Z');

const engine = createEngine();
const rules = {
  throttle: [
    { n: 10, perSeconds: 3_600 },
    { match: { types: ['dev.plexus.case.*'] }, n: 4, perSeconds: 900 },
  ],
  group: [{ match: { types: ['dev.plexus.progress.*'] }, mode: 'leading' as const, windowSeconds: 900 }],
  inhibit: [{ source: { severities: ['critical' as const] }, target: { severities: ['medium' as const] }, equal: ['case' as const] }],
  channels: [{ plan: [{ channel: 'session' }, { channel: 'email', afterUnseenSeconds: 600 }] }],
  escalation: { afterSeconds: [300, 900], channels: ['email'] },
};

function event(n: number): LogEvent {
  const kinds = ['case.changed', 'progress.step', 'collection.done'] as const;
  return {
    key: `key-${n.toString().padStart(39, '0')}`,
    origin: 'crm',
    source: '/crm',
    id: `e-${n}`,
    type: `dev.plexus.${kinds[n % 3]}.v1`,
    subject: `s-${n % 50}`,
    severity: n % 100 === 0 ? 'critical' : n % 10 === 0 ? 'high' : 'medium',
    occurredAt: '2026-11-21T10:00:00.000Z',
    caseId: `case-${n % 7}`,
    entities: [],
    regions: ['eu'],
    topics: [],
    ...(n % 4 === 0 ? { dedupKey: `k-${n % 40}` } : {}),
    summary: 'Something changed that somebody may want to know.',
  };
}

const hit = { subscriptionId: 'sub_1', version: 1, scopeKind: 'all', scopeRef: '', minSeverity: 'low', level: 'all', method: 'rule', score: 1 } as const;
const inputs = Array.from(
  { length: EVENTS },
  (_, n): LogInput => ({
    kind: 'candidate',
    data: { event: event(n), hits: [hit], score: 1 },
    id: `i${n}`,
    tenant: 'acme',
    user: `user-${n % USERS}`,
    seq: n + 10,
    at: T0 + n * 100,
  }),
);

/** One pass over all events; decisions per second of CPU time. */
function pass(policy: object, written: boolean): number {
  const body = PushPolicy.parse({ name: 'bench', ...policy });
  const first: LogInput = { kind: 'policy', data: { version: 1, body }, id: 'p', tenant: 'acme', user: '_', seq: 1, at: T0 };
  const shared = engine.foldShared(engine.emptyShared(), first);
  const states = new Map<string, UserState | string>();
  const before = process.cpuUsage();
  let decisions = 0;
  for (const input of inputs) {
    const known = states.get(input.user);
    const state = typeof known === 'string' ? (JSON.parse(known) as UserState) : (known ?? engine.emptyUser('epoch'));
    const outcome = engine.reduce(state, input, shared);
    decisions += outcome.decisions.length;
    states.set(input.user, written ? JSON.stringify(outcome.state) : outcome.state);
  }
  const { user, system } = process.cpuUsage(before);
  return (decisions / (user + system)) * 1_000_000;
}

function measure(name: string, policy: object, written: boolean): void {
  pass(policy, written);
  const values = Array.from({ length: ROUNDS }, () => Math.round(pass(policy, written))).sort((a, b) => a - b);
  const median = values[Math.floor(ROUNDS / 2)] ?? 0;
  process.stdout.write(`${JSON.stringify({ name, value: median, unit: 'decisions/s per core', median, min: values[0], max: values.at(-1), runs: ROUNDS })}\n`);
}

measure('engine, default policy', {}, false);
measure('engine, every kind of rule', rules, false);
measure('engine, every kind of rule, state read and written as JSON each time', rules, true);
