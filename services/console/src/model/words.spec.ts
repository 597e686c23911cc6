import { ERROR_CODES } from '@plexus/contracts';
import { tokenIn } from '../api/token.js';
import { en } from '../i18n/en.js';
import { zh } from '../i18n/zh.js';
import { curlCommand, draftEvent, eventFormSchema, withoutEmpty } from './event-form.js';
import { formatAgo, formatBytes, formatDuration, formatTime, shortId, weekdayNames, withTimes } from './format.js';

describe('numbers and times', () => {
  const now = Date.parse('2026-11-21T12:00:00Z');

  it.each([
    [0.4, '0 ms'],
    [999, '999 ms'],
    [1_234, '1.2 s'],
    [59_000, '59 s'],
    [61_000, '1 min'],
    [7_500_000, '2 h 05 min'],
  ])('%d ms is %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

  it('bytes have the unit that people read', () => {
    expect([0, 1_023, 1_024, 1_572_864, 155_399_000, 3 * 2 ** 30].map(formatBytes)).toEqual(['0 B', '1023 B', '1.0 KiB', '1.5 MiB', '148 MiB', '3.0 GiB']);
  });

  it('times are short within a day, have the date before, and are kept when they are none', () => {
    expect(formatTime('2026-11-21T10:00:00Z', 'en', 'short', now)).not.toMatch(/Nov/);
    expect(formatTime('2026-11-01T10:00:00Z', 'en', 'short', now)).toMatch(/Nov 1/);
    expect(formatTime('soon', 'en', 'short', now)).toBe('soon');
    expect(formatAgo('2026-11-21T11:57:00Z', now, 'en')).toMatch(/3 min/);
    expect(formatAgo('2026-11-21T12:00:30Z', now, 'en')).toMatch(/in 30 sec/);
    expect(formatAgo('2026-11-19T12:00:00Z', now, 'zh')).toMatch(/2天前/);
    expect(formatAgo('2026-11-23T08:00:00Z', now, 'en')).toMatch(/in 44 hr/);
  });

  it('a sentence keeps its words and says its times as people do; a week begins with Sunday', () => {
    expect(withTimes('Sent at 2026-11-01T10:00:00.123Z as dlv_1.', 'en', now)).toMatch(/^Sent at Nov 1, .* as dlv_1\.$/);
    expect(weekdayNames('en')).toEqual(['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']);
  });

  it('an id keeps its end, which tells two apart', () => {
    expect([shortId('vm-01jd2x3y4z5a6b7c8d9e0f1g2h'), shortId('short')]).toEqual(['…9e0f1g2h', 'short']);
  });
});

describe('the token in the address', () => {
  it('stands behind # and nowhere else', () => {
    expect(tokenIn('#token=abc%2Bd')).toBe('abc+d');
    expect(['', '#', '#token=', '#other=1', '?token=abc'].map(tokenIn)).toEqual([undefined, undefined, undefined, undefined, undefined]);
  });
});

describe('the form of an event', () => {
  const envelope = {
    type: 'object',
    properties: { type: { type: 'string' }, source: { type: 'string' }, id: { type: 'string' }, traceparent: { type: 'string' }, data: {} },
  };
  const contract = {
    name: 'in access.granted.v1',
    type: 'dev.plexus.access.granted.v1',
    summary: '',
    schema: { $schema: 'x', type: 'object', required: ['user'] },
    examples: [{ user: 'me' }],
  };

  it('asks for what people know, and for the data that the contract wants', () => {
    const any = eventFormSchema(envelope, undefined) as { properties: Record<string, { properties?: object }>; required: string[] };
    expect(Object.keys(any.properties)).toEqual(['type', 'source', 'id', 'data']);
    expect(Object.keys(any.properties.data?.properties ?? {})).toContain('summary');
    expect(eventFormSchema(envelope, contract)).toMatchObject({
      required: ['type', 'source', 'id', 'data'],
      properties: { data: { type: 'object', required: ['user'] } },
    });
  });

  it('begins with an event that can be published as it is', () => {
    const contracts = { contracts: [contract], event: { schema: envelope, examples: [{ type: 'order.shipped', data: { summary: 'On its way.' } }] } };
    expect(draftEvent(contracts, undefined, 'e1')).toMatchObject({ specversion: '1.0', id: 'e1', type: 'order.shipped', data: { summary: 'On its way.' } });
    expect(draftEvent(contracts, contract, 'e2')).toMatchObject({ id: 'e2', type: contract.type, data: { user: 'me' } });
  });

  it('leaves out what was left empty, and keeps false and 0', () => {
    expect(withoutEmpty({ a: '', b: undefined, c: [''], d: 0, e: false, f: { g: '' } })).toEqual({ d: 0, e: false, f: {} });
  });

  it('as a command cannot end its quotes', () => {
    expect(curlCommand('http://x', { data: "it's" })).toContain(`it'\\''s`);
  });
});

describe('the languages', () => {
  const texts = (value: object, at = ''): (readonly [string, string])[] =>
    Object.entries(value).flatMap(([key, one]) => (typeof one === 'string' ? [[`${at}${key}`, one] as const] : texts(one as object, `${at}${key}.`)));
  const names = (text: string) => [...text.matchAll(/{{(\w+)}}/g)].map(([, name]) => name).sort();

  it('say the same things with the same values in them', () => {
    const other = new Map(texts(zh));
    const english = texts(en).filter(([key]) => !key.endsWith('_one'));
    expect([...other.keys()].sort()).toEqual(english.map(([key]) => key).sort());
    for (const [key, text] of english) expect([key, names(other.get(key) ?? '')]).toEqual([key, names(text)]);
  });

  it('say of every error code of the mesh what happened and what to do', () => {
    const said: Readonly<Record<string, string>> = en.errors;
    expect(Object.keys(ERROR_CODES).filter((code) => said[code] === undefined)).toEqual([]);
  });

  it('have no text that was forgotten to be translated', () => {
    const english = new Map(texts(en));
    const same = texts(zh).filter(([key, text]) => english.get(key) === text && /[A-Za-z]{4,}/.test(text));
    expect(same).toEqual([]);
  });
});
