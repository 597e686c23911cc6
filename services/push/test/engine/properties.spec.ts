import fc from 'fast-check';
import { createEngine } from '../../src/domain/engine/engine.js';
import type { LogBody, LogEvent, LogInput } from '../../src/domain/engine/types.js';
import { LogRun } from '../../src/domain/replay/run-log.js';
import { forgetfulEngine, type History, histories, inputsOf, type Told, tell } from '../support/histories.js';
import { T0 } from '../support/scenario.js';

/** So many histories per promise; more when somebody hunts. */
const RUNS = Number(process.env.PLEXUS_PROPERTY_RUNS ?? 120);
const holds = (check: (told: Told, history: History) => void) =>
  fc.assert(
    fc.property(histories, (history) => check(tell(inputsOf(history)), history)),
    { numRuns: RUNS, seed: 8 },
  );
const candidates = ({ inputs }: Told) => inputs.filter((input): input is LogInput & { kind: 'candidate' } => input.kind === 'candidate');
const interrupts = ({ sends }: Told) => sends.filter(({ interrupt }) => interrupt);
const incidentOf = ({ origin, dedupKey, type, subject }: LogEvent) => (dedupKey === undefined ? `${origin}/${type}/${subject}` : `${origin}/${dedupKey}`);
/** Everything that comes out, without the position of the input that brought it to light. */
const effects = ({ outcomes }: Told) => ({
  decisions: outcomes.flatMap(({ decisions }) => decisions.map(({ inputSeq: _seq, ...decision }) => decision)),
  sends: outcomes.flatMap(({ sends }) => sends),
  edits: outcomes.flatMap(({ edits }) => edits),
  channels: outcomes.flatMap(({ channels }) => channels),
});

describe('whatever happens to a user', () => {
  it('D1: no window of any rule holds more interrupts than it allows', () =>
    holds((told, { policy }) => {
      for (const { match, n, perSeconds } of policy.throttle) {
        const about = (event: LogEvent) =>
          (match.types === undefined || match.types.includes(event.type)) &&
          (match.case === undefined || match.case === event.caseId) &&
          (match.severities === undefined || match.severities.includes(event.severity));
        const times = interrupts(told)
          .filter(({ priority, events }) => priority !== 'P0' && events.some(about))
          .map(({ at }) => at);
        for (const end of times) expect(times.filter((at) => at > end - perSeconds * 1_000 && at <= end).length).toBeLessThanOrEqual(n);
      }
    }));

  it('D2: an event is in one delivery at most', () =>
    holds((told) => {
      const sent = told.sends.filter(({ kind }) => kind !== 'escalation').flatMap(({ events }) => events.map(({ key }) => key));
      expect(new Set(sent).size).toBe(sent.length);
    }));

  it('D3: an event has exactly one end, and a repeat is a repeat', () =>
    holds((told) => {
      const ends = told.decisions.filter(({ terminal, reason }) => terminal && reason !== 'escalated');
      const keys = candidates(told).map(({ data }) => data.event.key);
      const own = ends.filter(({ reason }) => reason !== 'duplicate_event').map(({ eventKey }) => eventKey);
      expect([...own].sort()).toEqual([...new Set(keys)].sort());
      expect(ends.length).toBe(keys.length);
    }));

  it('D4: what is critical is neither paced nor lost, and waits for the end of a storm at most', () =>
    holds((told, { policy }) => {
      const arrived = new Map<string, number>();
      for (const { at, data } of candidates(told)) if (!arrived.has(data.event.key)) arrived.set(data.event.key, at);
      for (const { eventKey, priority, reason, at, verdict } of told.decisions) {
        if (priority !== 'P0' || reason === 'escalated') continue;
        expect(['quiet', 'throttled', 'group', 'low_value', 'source_budget', 'inhibit_hold']).not.toContain(reason);
        if (verdict === 'sent') expect(at - (arrived.get(eventKey) ?? 0)).toBeLessThanOrEqual(policy.storm.windowSeconds * 1_000);
      }
    }));

  it('D5: nothing that must wait goes out in quiet hours, over no channel', () =>
    holds((told, { quiet }) => {
      if (quiet === undefined) return;
      const minute = (text: string) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
      for (const { at, priority } of [...interrupts(told), ...told.channels]) {
        const now = (at % 86_400_000) / 60_000;
        if (priority > quiet.bypassPriority) expect(now >= minute(quiet.start) && now < minute(quiet.end)).toBe(false);
      }
    }));

  it('D6: the same log gives the same bytes', () => holds((told, history) => expect(JSON.stringify(tell(inputsOf(history)))).toBe(JSON.stringify(told))));

  it('D7: a restart after any input changes nothing, nor does a timer that comes twice or early', () =>
    fc.assert(
      fc.property(histories, fc.array(fc.nat(600_000), { maxLength: 8 }), (history, wakes) => {
        const inputs = inputsOf(history);
        const plain = tell(inputs);
        expect(JSON.stringify(tell(inputs, new LogRun(forgetfulEngine(), () => 'epoch')))).toBe(JSON.stringify(plain));
        const timers = wakes.map(
          (after, n): LogInput => ({
            kind: 'timer',
            data: { timerId: 'wake', dueAt: T0 + after },
            id: `w${n}`,
            tenant: 'acme',
            user: 'ada',
            seq: 0,
            at: T0 + after,
          }),
        );
        const woken = [...inputs, ...timers].map((input, place) => ({ input, place })).sort((a, b) => a.input.at - b.input.at || a.place - b.place);
        expect(effects(tell(woken.map(({ input }) => input)))).toEqual(effects(plain));
      }),
      { numRuns: RUNS, seed: 8 },
    ));

  it('D8: what waits leaves when the last of its reasons ends, and the timer stands at the next moment', () =>
    holds((told, { policy, steps }) => {
      const last = steps.at(-1)?.at ?? T0;
      const longest = Math.max(3_600, ...policy.group.map(({ windowSeconds }) => windowSeconds));
      const chain = steps.length * Math.max(0, ...policy.throttle.map(({ perSeconds }) => perSeconds));
      const quiet = 20 * 60 * (1 + policy.throttle.length);
      for (const { at, reason } of told.decisions) if (reason !== 'escalated') expect(at).toBeLessThanOrEqual(last + (longest + chain + quiet + 30) * 1_000);
      const state = told.outcomes.at(-1)?.state as { buffers?: unknown[]; armed?: unknown };
      expect([state.buffers, state.armed]).toEqual([[], null]);
    }));

  it('D8: what is deferred for one reason is looked at when it said', () =>
    holds((told) => {
      for (const [place, { verdict, until = 0, at, reason, eventKey }] of told.decisions.entries()) {
        if (verdict !== 'deferred') continue;
        expect(until).toBeGreaterThan(at);
        // Looked at again and still held back for the same reason, nothing new is said of it.
        if (reason === 'quiet' || reason === 'throttled') continue;
        const next = told.decisions.slice(place + 1).find((one) => one.eventKey === eventKey && one.reason !== 'duplicate_event');
        expect(next?.at).toBeLessThanOrEqual(until);
      }
    }));

  it('D9: offsets are 1, 2, 3 without gaps', () => holds((told) => expect(told.sends.map(({ offset }) => offset)).toEqual(told.sends.map((_, n) => n + 1))));

  it('D10: muting more never adds a send of what was muted, also not of what already waits', () =>
    fc.assert(
      fc.property(histories, fc.nat(24), fc.constantFrom('preference', 'subscription'), (history, where, how) => {
        const muted = T0 + (history.steps[where % history.steps.length]?.at ?? T0) - T0;
        const quietHours = history.quiet === undefined ? {} : { quietHours: { tz: 'UTC', days: [0, 1, 2, 3, 4, 5, 6], ...history.quiet } };
        const body: LogBody =
          how === 'preference'
            ? {
                kind: 'preference',
                data: { version: 2, preferences: [{ id: 'm', match: { types: ['a'] }, channel: '*', value: 'off' }], ...quietHours },
              }
            : { kind: 'subscription', data: { id: 'sub_1', version: 2, level: 'muted', minSeverity: 'low', removed: false } };
        const place = history.steps.findIndex(({ at }) => at > muted);
        const steps = history.steps.toSpliced(place < 0 ? history.steps.length : place, 0, { at: muted, body });
        const inScope = ({ type }: LogEvent) => how === 'subscription' || type === 'a';
        const sentLater = tell(inputsOf({ ...history, steps })).sends.filter(({ at, events }) => at > muted && events.some(inScope));
        expect(sentLater).toEqual([]);
      }),
      { numRuns: RUNS, seed: 8 },
    ));

  it('D11: what happens to another tenant changes nothing', () =>
    fc.assert(
      fc.property(histories, histories, (ours, theirs) => {
        const mine = inputsOf(ours);
        const both = [...mine, ...inputsOf(theirs, 'other', 'ada')].map((input, n) => ({ input, n })).sort((a, b) => a.input.at - b.input.at || a.n - b.n);
        const run = new LogRun(createEngine(), () => 'epoch');
        const outcomes = both.flatMap(({ input }) => {
          const outcome = run.feed(input);
          return outcome === undefined || input.tenant === 'other' ? [] : [outcome];
        });
        const alone = new LogRun(createEngine(), () => 'epoch');
        expect(JSON.stringify(outcomes)).toBe(JSON.stringify(mine.flatMap((input) => alone.feed(input) ?? [])));
      }),
      { numRuns: RUNS, seed: 8 },
    ));

  it('D12: inhibited is exactly what has the labels of a source that fires, until its resolve', () =>
    holds((told, { policy }) => {
      const [rule] = policy.inhibit;
      if (rule === undefined || rule.holdSeconds > 0) return;
      const firing = new Map<string, LogEvent>();
      const decided = new Map(told.decisions.filter(({ terminal, reason }) => terminal && reason !== 'duplicate_event').map((one) => [one.eventKey, one]));
      const seen = new Set<string>();
      for (const { at, data } of candidates(told)) {
        const { event } = data;
        if (seen.has(event.key)) continue;
        seen.add(event.key);
        const key = incidentOf(event);
        const first = told.decisions.find(({ eventKey, reason }) => eventKey === event.key && reason !== 'duplicate_event');
        if (event.state === 'resolved') firing.delete(key);
        if (first === undefined || first.at !== at || ['opted_out', 'expired', 'not_authorized'].includes(first.reason) || event.state === 'resolved') continue;
        if (event.state === 'firing') firing.set(key, event);
        const equal = (other: LogEvent) =>
          rule.equal.every((label) => (label === 'case' ? other.caseId === event.caseId : other.topics.join() === event.topics.join()));
        const target = event.severity === 'low' || event.severity === 'medium';
        const source = [...firing].some(
          ([name, other]) =>
            name !== key &&
            (other.severity === 'critical' || other.severity === 'high') &&
            (other.expiresAt === undefined || other.expiresAt > at) &&
            equal(other),
        );
        expect(decided.get(event.key)?.reason === 'inhibited').toBe(target && source);
      }
    }));

  it('D13: no message holds what is resolved or has expired', () =>
    holds((told) => {
      const all = candidates(told);
      for (const { at, events, kind } of told.sends) {
        for (const event of events) {
          expect(event.expiresAt === undefined || event.expiresAt > at).toBe(true);
          if (kind === 'escalation') continue;
          const arrival = all.find(({ data }) => data.event.key === event.key) as LogInput;
          const resolved = all.find(
            ({ data, seq, at: when }) =>
              data.event.state === 'resolved' &&
              incidentOf(data.event) === incidentOf(event) &&
              seq > arrival.seq &&
              when < at &&
              isFirst(all, seq, data.event.key),
          );
          expect(resolved).toBeUndefined();
        }
      }
    }));
});

/** False for a repeat: it is a duplicate and resolves nothing. */
function isFirst(all: readonly (LogInput & { kind: 'candidate' })[], seq: number, key: string): boolean {
  return all.find(({ data }) => data.event.key === key)?.seq === seq;
}
