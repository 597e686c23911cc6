import { memoryKindOf } from './memory-kind.js';

it.each([
  ['episodic', 'episode'],
  ['Semantic', 'fact'],
  ['long_term', 'fact'],
  ['procedural', 'note'],
  ['preference', 'preference'],
  ['summary', 'summary'],
  ['their-own', 'note'],
  ['toString', 'note'],
  [null, 'note'],
  [undefined, 'note'],
])('the memory type %j is kept as %j', (type, kind) => {
  expect(memoryKindOf(type)).toBe(kind);
});
