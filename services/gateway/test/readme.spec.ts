import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { CLIENT_CLOSES, CLOSE_CODES, METHODS } from '@plexus/client-protocol';
import { METHOD_HANDLERS } from '../src/application/methods/index.js';
import { withTables } from './support/readme-tables.js';
import { REFERENCE_PAGES } from './support/reference-pages.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const file = path.join(here, '../README.md');
const sources = readdirSync(path.join(here, '../src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
  .map((name) => readFileSync(path.join(here, '../src', name), 'utf8'))
  .join('\n');

describe.each(Object.entries(REFERENCE_PAGES))('docs/reference/%s', (name, make) => {
  it('is what the gateway declares now (UPDATE_README=1 writes it)', () => {
    const page = path.join(here, '../../../docs/reference', name);
    if (process.env.UPDATE_README === '1') writeFileSync(page, make());
    else expect(readFileSync(page, 'utf8')).toBe(make());
  });
});

describe('the README', () => {
  it('has the methods, routes, codes and settings as they are now (UPDATE_README=1 writes them)', () => {
    const text = readFileSync(file, 'utf8');
    const wanted = withTables(text);
    if (process.env.UPDATE_README === '1') writeFileSync(file, wanted);
    else expect(text).toBe(wanted);
  });

  it('names every close: each code of the protocol, and each reason with which this service closes', () => {
    expect([...new Set(CLIENT_CLOSES.map(({ code }) => code))].sort()).toEqual([...new Set(Object.values(CLOSE_CODES))].sort());
    const made = [...sources.matchAll(/close\((?:CLOSE_CODES\.(\w+)|REVOKED), '([^']*)'\)/g)];
    expect(made.length).toBeGreaterThan(5);
    for (const [, name = 'revoked', reason] of made) {
      const code = CLOSE_CODES[name as keyof typeof CLOSE_CODES];
      expect(CLIENT_CLOSES.map((one) => [one.code, one.reason])).toContainEqual([code, reason]);
    }
  });

  it('answers every method that it lists', () => {
    expect(Object.keys(METHOD_HANDLERS).sort()).toEqual(Object.keys(METHODS).sort());
  });
});
