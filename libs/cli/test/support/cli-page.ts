import type { Command, Option } from 'commander';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const code = (text: string): string => `\`${text.replaceAll('|', '\\|')}\``;

/** Names from the program down to a command. */
export function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function optionRow({ flags, description, defaultValue, mandatory }: Option): string {
  const fallback = defaultValue === undefined || Array.isArray(defaultValue) ? '' : code(String(defaultValue));
  return `| ${code(flags)} | ${cell(description)}${mandatory ? ' **Required.**' : ''} | ${fallback} |`;
}

function optionTable(options: readonly Option[]): string {
  return options.length === 0 ? '' : `\n| option | | default |\n|---|---|---|\n${options.map(optionRow).join('\n')}\n`;
}

function sections(command: Command): string[] {
  const usage = command.registeredArguments.map((one) => {
    const name = `${one.name()}${one.variadic ? '…' : ''}`;
    return one.required ? `<${name}>` : `[${name}]`;
  });
  // What only holds other commands has no section of its own.
  const own = `### ${[pathOf(command), ...usage].map((part) => part.replaceAll('<', '\\<')).join(' ')}\n\n${command.description()}\n${optionTable(command.options)}`;
  return [
    ...(command.commands.length > 0 && command.registeredArguments.length === 0 && command.options.length === 0 ? [] : [own]),
    ...command.commands.flatMap(sections),
  ];
}

/** docs/reference/cli.md: every command with its options, as the program declares them. */
export function cliPage(program: Command): string {
  const groups = program.commands.map((command) => {
    const purpose = command.commands.length > 0 ? `${command.description()}\n\n` : '';
    return `## ${command.name()}\n\n${purpose}${sections(command).join('\n')}`;
  });
  return `# Commands

<!-- Generated from libs/cli by \`UPDATE_README=1\` and its docs.spec.ts; do not edit. -->

\`npx plexus <command>\` in the folder of the repository; \`--help\` shows the same. ${program.description()}
Where the mesh is found, and what can go wrong: [libs/cli](../../libs/cli/README.md).

## Options of every command
${optionTable(program.options)}
${groups.join('\n')}`;
}
