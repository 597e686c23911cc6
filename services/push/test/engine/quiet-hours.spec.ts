import fc from 'fast-check';
import { instantOf, localTimeAt } from '../../src/domain/engine/local-time.js';
import { quietUntil } from '../../src/domain/engine/quiet-window.js';
import type { QuietHours } from '../../src/domain/engine/types.js';
import { Scenario } from '../support/scenario.js';

const EVERY_DAY = [0, 1, 2, 3, 4, 5, 6];
const quiet = (tz: string, start: string, end: string, days = EVERY_DAY): QuietHours => ({ tz, start, end, days, bypassPriority: 'P0' });
const at = (iso: string) => Date.parse(iso);
const until = (hours: QuietHours, iso: string) => {
  const end = quietUntil(hours, at(iso));
  return end === undefined ? undefined : new Date(end).toISOString().replace('.000', '');
};
const local = (text: string) => {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0] = text.split(/[-T:]/).map(Number);
  return { year, month, day, hour, minute };
};
const instant = (tz: string, text: string, which: 'first' | 'second') => new Date(instantOf(tz, local(text), which)).toISOString().replace('.000Z', 'Z');

describe('local time', () => {
  it('is exact in the whole year, in zones with odd offsets and over the date line', () => {
    expect(instant('Asia/Kathmandu', '2026-11-21T10:00', 'first')).toBe('2026-11-21T04:15:00Z');
    expect(instant('Australia/Eucla', '2026-11-21T10:00', 'first')).toBe('2026-11-21T01:15:00Z');
    expect(instant('Pacific/Kiritimati', '2026-11-21T10:00', 'first')).toBe('2026-11-20T20:00:00Z');
    expect(instant('Pacific/Pago_Pago', '2026-11-21T10:00', 'first')).toBe('2026-11-21T21:00:00Z');
  });

  it('that clocks skip is the first instant after the gap', () => {
    expect(instant('Europe/Berlin', '2026-03-29T02:30', 'first')).toBe('2026-03-29T01:00:00Z');
    expect(instant('Europe/Berlin', '2026-03-29T02:00', 'second')).toBe('2026-03-29T01:00:00Z');
    expect(instant('America/New_York', '2026-03-08T02:59', 'second')).toBe('2026-03-08T07:00:00Z');
    expect(instant('Australia/Lord_Howe', '2026-10-04T02:15', 'first')).toBe('2026-10-03T15:30:00Z');
    expect(instant('Pacific/Apia', '2011-12-30T12:00', 'first')).toBe('2011-12-30T10:00:00Z');
  });

  it('that clocks show twice is the first or the second of them, as asked', () => {
    expect(instant('Europe/Berlin', '2026-10-25T02:30', 'first')).toBe('2026-10-25T00:30:00Z');
    expect(instant('Europe/Berlin', '2026-10-25T02:30', 'second')).toBe('2026-10-25T01:30:00Z');
    expect(instant('America/New_York', '2026-11-01T01:30', 'first')).toBe('2026-11-01T05:30:00Z');
    expect(instant('America/New_York', '2026-11-01T01:30', 'second')).toBe('2026-11-01T06:30:00Z');
    expect(instant('Australia/Lord_Howe', '2026-04-05T01:45', 'first')).toBe('2026-04-04T14:45:00Z');
    expect(instant('Australia/Lord_Howe', '2026-04-05T01:45', 'second')).toBe('2026-04-04T15:15:00Z');
  });

  it('is what the clock shows at that instant, wherever clocks show it at all', () => {
    const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'America/St_Johns', 'Africa/Casablanca', 'Asia/Tokyo'];
    fc.assert(
      fc.property(fc.constantFrom(...zones), fc.integer({ min: at('2024-01-01T00:00Z') / 60_000, max: at('2030-01-01T00:00Z') / 60_000 }), (zone, minute) => {
        const moment = minute * 60_000;
        const shown = localTimeAt(zone, moment);
        const [first, second] = [instantOf(zone, shown, 'first'), instantOf(zone, shown, 'second')];
        expect([first, second]).toContain(moment);
        expect(first).toBeLessThanOrEqual(second);
      }),
      { numRuns: 300, seed: 20_261_121 },
    );
  });
});

describe('quiet hours', () => {
  it('are half open and may go over midnight', () => {
    const night = quiet('Europe/Berlin', '22:00', '07:00');
    expect(until(night, '2026-01-10T20:59:59.999Z')).toBeUndefined();
    expect(until(night, '2026-01-10T21:00:00Z')).toBe('2026-01-11T06:00:00Z');
    expect(until(night, '2026-01-11T05:59:59.999Z')).toBe('2026-01-11T06:00:00Z');
    expect(until(night, '2026-01-11T06:00:00Z')).toBeUndefined();
    expect(until(quiet('UTC', '12:00', '13:00'), '2026-01-11T12:30:00Z')).toBe('2026-01-11T13:00:00Z');
  });

  it('with the same start and end are off', () => {
    expect(until(quiet('UTC', '08:00', '08:00'), '2026-01-11T08:00:00Z')).toBeUndefined();
  });

  it('begin on the chosen local days only', () => {
    const friday = quiet('Asia/Tokyo', '22:00', '07:00', [5]);
    expect(until(friday, '2026-01-09T13:00:00Z')).toBe('2026-01-09T22:00:00Z');
    expect(until(friday, '2026-01-09T21:59:00Z')).toBe('2026-01-09T22:00:00Z');
    expect(until(friday, '2026-01-08T13:00:00Z')).toBeUndefined();
    expect(until(friday, '2026-01-10T13:00:00Z')).toBeUndefined();
    expect(until(quiet('UTC', '22:00', '07:00', []), '2026-01-10T23:00:00Z')).toBeUndefined();
  });

  it('know the leap day', () => {
    const night = quiet('America/New_York', '22:00', '07:00', [4]);
    expect(until(night, '2028-03-01T03:00:00Z')).toBeUndefined();
    expect(until(quiet('America/New_York', '22:00', '07:00', [2]), '2028-03-01T03:00:00Z')).toBe('2028-03-01T12:00:00Z');
    expect(until(quiet('America/New_York', '22:00', '07:00', [1]), '2028-02-29T03:00:00Z')).toBe('2028-02-29T12:00:00Z');
  });

  it('are an hour shorter in the night in which clocks go forward', () => {
    const night = quiet('Europe/Berlin', '22:00', '07:00');
    expect(until(night, '2026-03-28T21:00:00Z')).toBe('2026-03-29T05:00:00Z');
    expect(until(night, '2026-03-29T04:59:59Z')).toBe('2026-03-29T05:00:00Z');
    expect(until(quiet('Europe/Berlin', '02:30', '04:00'), '2026-03-29T00:59:59Z')).toBeUndefined();
    expect(until(quiet('Europe/Berlin', '02:30', '04:00'), '2026-03-29T01:00:00Z')).toBe('2026-03-29T02:00:00Z');
    expect(until(quiet('Europe/Berlin', '01:00', '02:30'), '2026-03-29T00:30:00Z')).toBe('2026-03-29T01:00:00Z');
    expect(until(quiet('Europe/Berlin', '02:10', '02:50'), '2026-03-29T01:00:00Z')).toBeUndefined();
    expect(until(quiet('America/New_York', '22:00', '07:00'), '2026-03-08T06:59:00Z')).toBe('2026-03-08T11:00:00Z');
  });

  it('begin at the first and end at the second of two equal times when clocks go back', () => {
    const odd = quiet('Europe/Berlin', '02:30', '02:45');
    expect(until(odd, '2026-10-25T00:29:59Z')).toBeUndefined();
    expect(until(odd, '2026-10-25T00:30:00Z')).toBe('2026-10-25T01:45:00Z');
    expect(until(odd, '2026-10-25T01:44:59Z')).toBe('2026-10-25T01:45:00Z');
    expect(until(quiet('America/New_York', '22:00', '01:30'), '2026-11-01T06:00:00Z')).toBe('2026-11-01T06:30:00Z');
    expect(until(quiet('Europe/Berlin', '22:00', '07:00'), '2026-10-25T05:59:59Z')).toBe('2026-10-25T06:00:00Z');
  });

  it('in a zone that nobody knows are those of UTC', () => {
    expect(until(quiet('Mars/Olympus', '22:00', '07:00'), '2026-01-10T23:00:00Z')).toBe('2026-01-11T07:00:00Z');
  });

  it('hold back what falls due in them, and let through what the user wants to hear', () => {
    const s = new Scenario({ group: [{ mode: 'trailing', windowSeconds: 3_600 }] }, at('2026-01-10T21:30:00Z'));
    s.say(0, 'preference', { version: 1, preferences: [], quietHours: { ...quiet('UTC', '22:00', '07:00'), bypassPriority: 'P1' } });
    s.event(0, 'a').event(10, 'b').event(20, 'urgent', { severity: 'high', type: 'other' }).until(60_000);
    expect(s.interrupts).toEqual(['single@3620', 'digest2@34200']);
    expect(s.decisions.filter(({ event }) => event.id === 'a').map(({ reason, until: held }) => [reason, held === undefined ? held : s.seconds(held)])).toEqual(
      [
        ['group', 3_600],
        ['quiet', 34_200],
        ['sent', undefined],
      ],
    );
  });

  it('of the tenant hold where the user says nothing', () => {
    const s = new Scenario({}, at('2026-01-10T23:00:00Z'));
    s.say(0, 'preference', { version: 1, preferences: [], quietHours: quiet('UTC', '22:00', '07:00') }, '_');
    s.event(0, 'a')
      .say(1, 'preference', { version: 1, preferences: [], quietHours: quiet('UTC', '00:00', '00:00') })
      .event(2, 'b')
      .until(90_000);
    expect(s.interrupts).toEqual(['single@2', 'single@28800']);
  });
});
