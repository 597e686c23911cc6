import { agreeInFacts, collapse } from './near-duplicates.js';

describe('near-duplicates', () => {
  it.each([
    ['The router is at 10.0.0.1 in the hall', 'the ROUTER is at 10.0.0.1, in the hall!', true],
    ['port 5432 is open', 'port 5433 is open', false],
    ['open two files at 3 and 4', 'open two files at 4 and 3', true],
    ['the backup runs at 3', 'the backup runs at 3 and 3', false],
    ['the door is open', 'the door is not open', false],
    ['she does like tea', "she doesn't like tea", false],
    ['he likes knots and notes', 'he likes notes and knots', true],
    ['用户喜欢咖啡', '用户不喜欢咖啡', false],
    ['下午三点开会', '下午五点开会', false],
    ['备份失败了', '备份失败', true],
    ['version v1.2.3 works', 'version v1.2.4 works', false],
    ['ich trinke Kaffee', 'ich trinke keinen Kaffee', false],
  ])('%j and %j agree in numbers and negations: %s', (a, b, agree) => {
    expect(agreeInFacts(a, b)).toBe(agree);
    expect(agreeInFacts(b, a)).toBe(agree);
  });

  it('of linked ones the best stays and names the others; a chain hides only what stands beside something shown', () => {
    const links = new Map([
      ['a', new Set(['b'])],
      ['b', new Set(['a', 'c'])],
      ['c', new Set(['b'])],
    ]);
    const { kept, hidden } = collapse(['x', 'a', 'b', 'c', 'y'], (id) => id, links);
    expect(kept).toEqual(['x', 'a', 'c', 'y']);
    expect([...hidden]).toEqual([['a', ['b']]]);
  });
});
