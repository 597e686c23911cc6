import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { AUDITED } from '@plexus/contracts';
import type { Command } from 'commander';
import { ACTS } from './acts.js';
import { createProgram } from './program.js';

function leaves(command: Command, words: readonly string[] = []): string[] {
  return command.commands.flatMap((one) => {
    const own = [...words, one.name()];
    return one.commands.length === 0 ? [own.join(' ')] : leaves(one, own);
  });
}

describe('what commands do is written down', () => {
  const commands = leaves(createProgram({}).program);

  it('or it is said why not, for every command there is', () => {
    expect(commands.filter((command) => !Object.hasOwn(ACTS, command))).toEqual([]);
    expect(Object.keys(ACTS).filter((command) => !commands.includes(command))).toEqual([]);
  });

  it('by a service only where the contracts say so', () => {
    const wrong = Object.entries(ACTS).flatMap(([command, decision]) =>
      'service' in decision ? decision.service.filter((name) => !Object.hasOwn(AUDITED, name)).map((name) => `${command}: ${name}`) : [],
    );
    expect(wrong).toEqual([]);
  });

  it('by the command itself under the name that the table says', () => {
    const folder = path.join(import.meta.dirname, 'commands');
    const source = readdirSync(folder)
      .map((file) => readFileSync(path.join(folder, file), 'utf8'))
      .join('');
    const noted = [...source.matchAll(/note(?:Act|Done|DoneOffline)\([^;]*?'([a-z]+\.[a-z-]+)'/g)].map(([, action]) => action);
    const wanted = Object.values(ACTS).flatMap((decision) => ('here' in decision ? [decision.here] : []));
    expect([...new Set(noted)].sort()).toEqual([...new Set(wanted)].sort());
  });
});
