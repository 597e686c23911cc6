import { randomBytes } from 'node:crypto';
import { KeyWrap, masterKeyFrom } from './key-wrap.js';

describe('a new master key, replica by replica', () => {
  const [OLD, NEW] = [masterKeyFrom(randomBytes(32).toString('base64')), masterKeyFrom(randomBytes(32).toString('base64'))];
  const steps = [new KeyWrap(OLD), new KeyWrap(OLD, NEW), new KeyWrap(NEW, OLD), new KeyWrap(NEW)] as const;
  const key = randomBytes(32);

  it.each([0, 1, 2])('replicas of step %d and of the one behind it open what the other wraps', (at) => {
    const [old, next] = [steps[at] as KeyWrap, steps[at + 1] as KeyWrap];
    expect(next.open(old.wrap(key, 'acme'), 'acme')).toEqual(key);
    expect(old.open(next.wrap(key, 'acme'), 'acme')).toEqual(key);
  });

  it('afterwards the old one opens nothing, and nobody opens the key of another tenant', () => {
    expect(steps[3].open(steps[0].wrap(key, 'acme'), 'acme')).toBeUndefined();
    expect(steps[3].open(steps[3].wrap(key, 'acme'), 'globex')).toBeUndefined();
  });
});
