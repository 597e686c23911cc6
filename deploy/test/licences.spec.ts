import { readFileSync } from 'node:fs';
import path from 'node:path';
import { EXCEPTIONS, isAllowed, type Lockfile, objections, shippedPackages } from '../src/licences.js';

const lockfile = JSON.parse(readFileSync(path.join(import.meta.dirname, '../../package-lock.json'), 'utf8')) as Lockfile;
const shipped = shippedPackages(lockfile);

it('everything that comes with what we ship has a licence that we accept', () => {
  expect(objections(shipped)).toEqual([]);
  expect(shipped.length).toBeGreaterThan(100);
  expect(shipped.map(({ name }) => name)).toEqual(expect.arrayContaining(['@nats-io/nats-core', '@nestjs/core', 'pg', 'zod']));
  expect(shipped.map(({ name }) => name)).not.toContain('jest');
});

it('an exception that nothing needs any more is to be removed', () => {
  const names = shipped.map(({ name }) => name);
  expect(Object.keys(EXCEPTIONS).filter((name) => !names.includes(name))).toEqual([]);
});

it('a licence that nobody has looked at is found, however deep it stands', () => {
  const changed = structuredClone(lockfile) as unknown as { packages: Record<string, { license?: string }> };
  const deep = shipped.find(({ name }) => name === 'pg-protocol');
  expect(deep).toBeDefined();
  const entry = changed.packages['node_modules/pg-protocol'];
  if (entry !== undefined) entry.license = 'SSPL-1.0';
  const refused = objections(shippedPackages(changed as unknown as Lockfile));
  expect(refused.map(({ name, licence }) => `${name} ${licence}`)).toEqual(['pg-protocol SSPL-1.0']);
});

it.each([
  ['MIT', true],
  ['(AFL-2.1 OR BSD-3-Clause)', true],
  ['MIT and ISC', true],
  ['MIT AND GPL-3.0', false],
  ['GPL-3.0', false],
  ['UNKNOWN', false],
  ['SEE LICENSE IN LICENSE', false],
])('%s: allowed %s', (expression, allowed) => {
  expect(isAllowed(expression)).toBe(allowed);
});
