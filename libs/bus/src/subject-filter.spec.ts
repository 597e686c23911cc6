import fc from 'fast-check';
import { coveringFilter, subjectMatches } from './subject-filter.js';

const token = fc.constantFrom('a', 'b', 'c');
const subject = fc.array(token, { minLength: 1, maxLength: 5 }).map((tokens) => tokens.join('.'));
const pattern = fc
  .tuple(fc.array(fc.oneof(token, fc.constant('*')), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([tokens, open]) => [...tokens, ...(open ? ['>'] : [])].join('.'));

it.each([
  ['a.b', 'a.b', true],
  ['a.b', 'a.b.c', false],
  ['a.*', 'a.b', true],
  ['a.*', 'a', false],
  ['a.>', 'a.b.c', true],
  ['a.>', 'a', false],
  ['>', 'a', true],
  ['*.b', 'a.c', false],
])('%s against %s: %s', (filter, name, expected) => {
  expect(subjectMatches(filter, name)).toBe(expected);
});

it('a covering filter matches whatever one of its filters matches', () => {
  fc.assert(
    fc.property(fc.array(pattern, { minLength: 1, maxLength: 4 }), subject, (filters, name) => {
      if (filters.some((filter) => subjectMatches(filter, name))) expect(subjectMatches(coveringFilter(filters), name)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

it('is as narrow as one pattern can be', () => {
  expect(coveringFilter(['plexus.evt.acme.session.event.v1.s1'])).toBe('plexus.evt.acme.session.event.v1.s1');
  expect(coveringFilter(['plexus.evt.acme.session.event.v1.s1', 'plexus.evt.acme.session.message.v1.s1'])).toBe('plexus.evt.acme.session.*.v1.s1');
  expect(coveringFilter(['a.b', 'a.b.c'])).toBe('a.>');
});
