import fc from 'fast-check';
import { DurablePrefix } from './durable-prefix.js';

describe('DurablePrefix', () => {
  it('property: is the longest run of finished frames from the start, in whatever order and however often they finish', () => {
    fc.assert(
      fc.property(fc.nat({ max: 50 }), fc.array(fc.nat({ max: 80 })), (start, finished) => {
        const prefix = new DurablePrefix(start);
        const done = new Set<number>();
        for (const fseq of finished) {
          const before = prefix.value;
          expect(prefix.complete(fseq)).toBe(prefix.value > before);
          done.add(fseq);
          let expected = start;
          while (done.has(expected + 1)) expected += 1;
          expect(prefix.value).toBe(expected);
        }
      }),
    );
  });
});
