import { hashSkillFiles, skillPathProblem, skillPathsProblem } from './skill-package.js';

const bytes = (text: string): Uint8Array => Buffer.from(text);

describe('packages of skills', () => {
  it.each(['SKILL.md', 'scripts/run.sh', 'references/a b.md', 'références/naïve.md'])('may hold %s', (path) => {
    expect(skillPathProblem(path)).toBeUndefined();
  });

  it.each(['', '/etc/passwd', '../x', 'a/../../x', './a', 'a//b', 'a/', 'a\\b', 'C:evil', 'a\u0000b', 'a\nb', 'dot.', 'x '.repeat(200), 'a/b/c/d/e/f/g/h/i'])(
    'may not hold %j',
    (path) => {
      expect(skillPathProblem(path)).toBeDefined();
    },
  );

  it('name a file once, whatever the case, and never a file that is also a folder', () => {
    expect(skillPathsProblem(['SKILL.md', 'scripts/a.sh', 'scripts/b.sh'])).toBeUndefined();
    expect(skillPathsProblem(['a.md', 'A.md'])).toMatch(/twice/);
    expect(skillPathsProblem(['a', 'a/b'])).toMatch(/file and a folder/);
    expect(skillPathsProblem(['x/a/b', 'X/A'])).toMatch(/file and a folder/);
  });

  it('have a hash that does not depend on the order, and no two divisions into files have the same', () => {
    const a = { path: 'a', bytes: bytes('1') };
    const b = { path: 'b', bytes: bytes('2') };
    expect(hashSkillFiles([a, b])).toBe(hashSkillFiles([b, a]));
    expect(hashSkillFiles([{ path: 'a', bytes: bytes('12') }])).not.toBe(hashSkillFiles([{ path: 'a1', bytes: bytes('2') }]));
    expect(hashSkillFiles([{ path: 'a', bytes: bytes('1b\u00001\u00002') }])).not.toBe(hashSkillFiles([a, b]));
  });
});
