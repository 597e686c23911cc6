import { PushPolicy, type PushPolicyText } from '@plexus/contracts';
import { createEngine } from '../../src/domain/engine/engine.js';
import type { Decision, ItemEdit, LogBody, LogEvent, LogHit, LogInput, Outcome, Send } from '../../src/domain/engine/types.js';
import { LogRun } from '../../src/domain/replay/run-log.js';

type Data<K extends LogBody['kind']> = Extract<LogBody, { kind: K }>['data'];
export type EventText = Partial<LogEvent> & { readonly hits?: readonly Partial<LogHit>[]; readonly score?: number; readonly agent?: string };

/** 10:00:00 UTC: second 0 of every scenario that does not say otherwise. */
export const T0 = Date.parse('2026-11-21T10:00:00Z');
export const TENANT = 'acme';
export const USER = 'ada';

/** A user, a policy and a clock: what is put in as seconds comes out as seconds. */
export class Scenario {
  readonly outcomes: Outcome[] = [];
  readonly run: LogRun;
  #seq = 0;

  constructor(
    policy: Omit<PushPolicyText, 'name'> = {},
    readonly start: number = T0,
    engine = createEngine(),
  ) {
    this.run = new LogRun(engine, () => 'epoch');
    this.policy(0, policy);
  }

  policy(seconds: number, body: Omit<PushPolicyText, 'name'>, version = 1): this {
    return this.say(seconds, 'policy', { version, body: PushPolicy.parse({ name: 'test', ...body }) }, '_');
  }

  /** An event reaches the user; without `hits` through one subscription to everything. */
  event(seconds: number, id: string, text: EventText = {}): this {
    const { hits = [{}], score = 1, agent, ...event } = text;
    return this.say(seconds, 'candidate', {
      event: eventOf(id, event),
      hits: hits.map(hitOf),
      score,
      ...(agent === undefined ? {} : { agent }),
    });
  }

  say<K extends LogBody['kind']>(seconds: number, kind: K, data: Data<K>, user = USER): this {
    this.#seq += 1;
    const at = this.start + Math.round(seconds * 1_000);
    const input = { kind, data, id: `i${this.#seq}`, tenant: TENANT, user, seq: this.#seq, at } as unknown as LogInput;
    const outcome = this.run.feed(input);
    if (outcome !== undefined) this.outcomes.push(outcome);
    return this;
  }

  /** Lets the clock run on. */
  until(seconds: number): this {
    return this.say(seconds, 'timer', { timerId: 'wake', dueAt: this.start + Math.round(seconds * 1_000) });
  }

  get sends(): Send[] {
    return this.outcomes.flatMap(({ sends }) => [...sends]);
  }

  get decisions(): Decision[] {
    return this.outcomes.flatMap(({ decisions }) => [...decisions]);
  }

  get edits(): ItemEdit[] {
    return this.outcomes.flatMap(({ edits }) => [...edits]);
  }

  /** Interrupts as `single@0`, `digest5@3600`, `storm3@60`. */
  get interrupts(): string[] {
    return this.sends.filter(({ interrupt }) => interrupt).map((send) => `${nameOf(send)}@${this.seconds(send.at)}`);
  }

  /** Later channels as `webpush@120`. */
  get channels(): string[] {
    return this.outcomes.flatMap(({ channels }) => channels.map(({ channel, at }) => `${channel}@${this.seconds(at)}`));
  }

  /** How an event ended: the reasons of its terminal decisions. */
  endings(id: string): string[] {
    return this.decisions.filter(({ event, terminal }) => terminal && event.id === id).map(({ reason }) => reason);
  }

  /** How often each reason ended an event. */
  get reasons(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { reason, terminal } of this.decisions) if (terminal) counts[reason] = (counts[reason] ?? 0) + 1;
    return counts;
  }

  seconds(at: number): number {
    return (at - this.start) / 1_000;
  }
}

function nameOf({ kind, events }: Send): string {
  return kind === 'notification' ? 'single' : `${kind}${events.length}`;
}

export function eventOf(id: string, event: Partial<LogEvent> = {}): LogEvent {
  return {
    key: `key-${id}`,
    origin: 'crm',
    source: '/crm',
    id,
    type: 'dev.plexus.test.v1',
    subject: id,
    severity: 'medium',
    occurredAt: '2026-11-21T10:00:00.000Z',
    entities: [],
    regions: [],
    topics: [],
    ...event,
  };
}

export function hitOf(hit: Partial<LogHit> = {}): LogHit {
  return { subscriptionId: 'sub_1', version: 1, scopeKind: 'all', scopeRef: '', minSeverity: 'low', level: 'all', method: 'rule', score: 1, ...hit };
}
