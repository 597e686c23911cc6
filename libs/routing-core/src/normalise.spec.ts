import fc from 'fast-check';
import { normaliseAccountId, normaliseAgentId } from './normalise.js';

describe('an identifier', () => {
  it('that was cut behind a dash keeps it when it is cleaned again', () => {
    const cut = normaliseAgentId(`_${'a'.repeat(62)}!tail`);
    expect(cut).toBe(`_${'a'.repeat(62)}-`);
    expect(normaliseAgentId(cut)).toBe(cut);
  });

  it('is the same however often it is cleaned', () => {
    const character = fc.constantFrom('a', 'B', '7', '_', '-', ' ', '!', 'é', '数');
    const text = fc.oneof(fc.string({ unit: character, maxLength: 90 }), fc.string({ unit: character, minLength: 60, maxLength: 70 }));
    for (const normalise of [normaliseAgentId, normaliseAccountId]) {
      fc.assert(
        fc.property(text, (given) => expect(normalise(normalise(given))).toBe(normalise(given))),
        { numRuns: 5_000 },
      );
    }
  });
});
