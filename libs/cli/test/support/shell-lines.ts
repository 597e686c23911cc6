import type { Command } from 'commander';

/** The commands of a shell block: continued lines joined, comments, variables before a command and what follows a pipe or `&&` taken apart. */
export function commandsOf(block: string): string[][] {
  return block
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .flatMap((line) => splitCommands(line.replace(/^\$ /, '')))
    .filter((words) => words.length > 0);
}

const WORDS = /#.*$|<[a-z][\w |.-]*>|[<>]+\s*\S*|[|;&]+|(?:[^\s"'|;&<>]|"(?:[^"\\]|\\.)*"|'[^']*')+/g;

/** Words of one line without quotes and redirections; `<name>` is a word that a reader puts in. */
function splitCommands(line: string): string[][] {
  const commands: string[][] = [[]];
  for (const [word] of line.matchAll(WORDS)) {
    if (word.startsWith('#')) break;
    if (/^[|;&]/.test(word)) commands.push([]);
    else if (/^<[a-z]/.test(word) || !/^[<>]/.test(word)) commands.at(-1)?.push(word.replaceAll(/["']/g, ''));
  }
  return commands.map((words) => words.slice(words.findIndex((word) => !/^[A-Z_][A-Z0-9_]*=/.test(word))));
}

/** What is wrong with a call of the program, or undefined. Values are not judged, names are. */
export function problemOf(program: Command, words: readonly string[]): string | undefined {
  let command = program;
  const given: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] as string;
    if (word === '--') return undefined;
    if (/^-[^\d]/.test(word)) {
      const [name = word] = word.split('=');
      if (name === '--help' || name === '-h' || name === '--version') continue;
      const option = chain(command)
        .flatMap((one) => one.options)
        .find(({ long, short }) => name === long || name === short);
      if (option === undefined) return `${command.name()} has no option ${name}`;
      if (!option.isBoolean() && !word.includes('=') && (option.required || isValue(words[at + 1]))) at += 1;
      continue;
    }
    const next = given.length === 0 ? command.commands.find((one) => one.name() === word || one.aliases().includes(word)) : undefined;
    if (next !== undefined) command = next;
    else given.push(word);
  }
  if (words.includes('--help')) return undefined;
  if (command.commands.length > 0 && command.registeredArguments.length === 0) return `${command.name()} has no command ${given[0] ?? '(none is given)'}`;
  const { registeredArguments: wanted } = command;
  const least = wanted.filter(({ required }) => required).length;
  if (given.length < least) return `${command.name()} needs ${least} arguments, ${given.length} are given`;
  if (given.length > wanted.length && !wanted.some(({ variadic }) => variadic))
    return `${command.name()} takes ${wanted.length} arguments, ${given.length} are given`;
  return undefined;
}

const isValue = (word: string | undefined): boolean => word !== undefined && !word.startsWith('-');

function chain(command: Command): Command[] {
  return command.parent === null ? [command] : [command, ...chain(command.parent)];
}
