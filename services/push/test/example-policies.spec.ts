import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEFAULT_POLICY } from '../src/domain/policy/policy-text.js';
import { checkPolicyFile } from '../src/policy-file.js';

const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), '../policies');
const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
const check = (file: string) => checkPolicyFile(readFileSync(path.join(folder, file), 'utf8'));

describe('the policies that come with push', () => {
  it.each(files)('%s keeps what its tests promise', (file) => {
    const { issues, report } = check(file);
    expect(issues).toEqual([]);
    expect(report?.failures).toEqual([]);
    expect(report?.total).toBeGreaterThan(2);
  });

  it('default.yaml is the built-in policy, written out', () => {
    expect(check('default.yaml').digest).toBe(DEFAULT_POLICY.digest);
  });

  it('a policy whose text is none is refused with the place, and one that fails says which test', () => {
    expect(checkPolicyFile('name: x\nthrottle: [{ n: 0, perSeconds: 1 }]').issues).toEqual([expect.objectContaining({ path: 'throttle.0.n' })]);
    const failing = checkPolicyFile('name: x\ntests: [{ name: t, steps: [{ at: 0, event: { id: a } }], expect: { interrupts: 5 } }]');
    expect(failing.report).toMatchObject({ passed: false, total: 1, failures: [{ test: 't' }] });
  });
});
