import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Ownership, PENDING_ACTIONS, PERFORMED, RELOAD_RULES } from '../index.js';
import { isNotActedOn } from '../validate/not-acted-on.js';

const performed: Readonly<Record<string, Ownership>> = PERFORMED;
const services = fileURLToPath(new URL('../../../../services', import.meta.url));

describe('what the reload rules promise', () => {
  it('is kept by the service they name, or belongs to a setting of which everybody is warned', () => {
    const broken = RELOAD_RULES.filter(({ kind }) => kind === 'hot').flatMap(({ prefix, owners, actions }) =>
      actions.filter((action) => {
        if (isNotActedOn(prefix) || PENDING_ACTIONS.includes(action)) return false;
        const by = performed[action];
        const covers = by?.prefixes.some((own) => prefix === own || prefix.startsWith(`${own}.`)) === true;
        return !covers || !owners.includes(by.service);
      }),
    );
    expect(broken).toEqual([]);
  });

  it('leaves no performed action without a rule, and none both performed and pending', () => {
    const promised = new Set(RELOAD_RULES.flatMap(({ actions }) => actions));
    for (const action of [...Object.keys(performed), ...PENDING_ACTIONS]) expect([action, promised.has(action)]).toEqual([action, true]);
    expect(PENDING_ACTIONS.filter((action) => action in performed)).toEqual([]);
  });

  it('is what services register for: each with the prefixes that stand here', () => {
    const registered = readdirSync(services).flatMap((service) =>
      sourcesOf(path.join(services, service, 'src')).flatMap((file) =>
        [...readFileSync(file, 'utf8').matchAll(/\.onConfig\(\s*PERFORMED(?:\['|\.)([\w-]+)(?:'\])?\.prefixes,\s*'([\w-]+)'/g)].map(([, action, label]) => {
          expect(action).toBe(label);
          return [service, label];
        }),
      ),
    );
    const calls = readdirSync(services).flatMap((service) =>
      sourcesOf(path.join(services, service, 'src')).flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/\.onConfig\(/g)]),
    );
    const expected = Object.entries(performed).flatMap(([action, { service, how }]) => (how === 'applies' ? [[service, action]] : []));
    expect(registered).toEqual(expected);
    expect(calls).toHaveLength(registered.length);
  });
});

function sourcesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
    .map((name) => path.join(folder, name));
}
