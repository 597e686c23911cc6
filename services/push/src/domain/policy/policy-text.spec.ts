import { DEFAULT_POLICY, readPolicy, withoutTests } from './policy-text.js';

const issuesOf = (text: string) => {
  const read = readPolicy({ text });
  return read.ok ? [] : read.error;
};

describe('the text of a policy', () => {
  it('is YAML or JSON, with defaults for what is left out', () => {
    const yaml = readPolicy({ text: 'name: calm\nthrottle:\n  - { n: 3, perSeconds: 3600 }\n' });
    const json = readPolicy({ text: '{"name":"calm","throttle":[{"n":3,"perSeconds":3600}]}' });
    expect(yaml).toMatchObject({
      ok: true,
      value: { body: { name: 'calm', throttle: [{ match: {}, n: 3, perSeconds: 3600 }], collapse: { ttlSeconds: 600 } } },
    });
    expect(yaml.ok && json.ok && yaml.value.digest === json.value.digest).toBe(true);
  });

  it('is identified by what it decides, not by its tests', () => {
    const [plain, tested, other] = [
      'name: a',
      'name: a\ntests: [{ name: t, steps: [{ at: 0, event: { id: x } }], expect: { inbox: 1 } }]',
      'name: a\ncollapse: { ttlSeconds: 1 }',
    ].map((text) => readPolicy({ text }));
    if (!plain?.ok || !tested?.ok || !other?.ok) throw new Error('unreadable');
    expect(tested.value.digest).toBe(plain.value.digest);
    expect(other.value.digest).not.toBe(plain.value.digest);
    expect(withoutTests(tested.value.body).tests).toEqual([]);
  });

  it('is refused with the place of each fault', () => {
    expect(issuesOf('name: x\nthrottle:\n  - { n: 0, perSeconds: 60 }\n')).toEqual([expect.objectContaining({ path: 'throttle.0.n' })]);
    expect(issuesOf('name: x\nnonsense: true\n')).toHaveLength(1);
    expect(issuesOf('name: [')[0]?.message).toMatch(/line 1/);
    expect(issuesOf('a: 1\na: 2')[0]?.message).toMatch(/unique/);
    expect(issuesOf('')).not.toEqual([]);
    expect(issuesOf('just words')).not.toEqual([]);
  });

  it('does not let aliases grow without bound', () => {
    const levels = Array.from(
      { length: 12 },
      (_, level) =>
        `x${level}: &x${level} [${
          level === 0
            ? '1'
            : Array(10)
                .fill(`*x${level - 1}`)
                .join(', ')
        }]`,
    );
    expect(issuesOf(levels.join('\n'))[0]?.message).toMatch(/alias/i);
  });

  it('of the built-in policy is its name alone', () => {
    expect(DEFAULT_POLICY.body).toMatchObject({ name: 'default', throttle: [], group: [], tests: [] });
  });
});
