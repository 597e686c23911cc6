import type { Command } from 'commander';
import { ConfigClient, parseDocument } from '../config-client.js';
import { agentsOf, type Binding, type Bound, bind, bindingsOf, describeMatch, unbind } from '../config-edits.js';
import { CommandFailure, EXIT } from '../exit-code.js';
import type { MeshOptions } from '../mesh.js';
import { type Output, table } from '../output.js';
import { reportWritten } from './config-output.js';

interface MatchOptions {
  readonly channel?: string;
  readonly account?: string;
  readonly peer?: string;
  readonly guild?: string;
  readonly team?: string;
  readonly role?: string[];
}

function matchOf(options: MatchOptions): Binding['match'] {
  if (options.channel === undefined) throw new CommandFailure('Which messages? --channel is missing.', EXIT.usage, 'Write --channel telegram.', 'USAGE');
  const [kind, ...id] = options.peer?.split(':') ?? [];
  if (options.peer !== undefined && (kind === '' || id.join(':') === '')) {
    throw new CommandFailure(`${JSON.stringify(options.peer)} is not a peer.`, EXIT.usage, 'Write --peer dm:42, group:-100, channel:C1.', 'USAGE');
  }
  return {
    channel: options.channel,
    ...(options.account !== undefined && { accountId: options.account }),
    ...(kind !== undefined && { peer: { kind, id: id.join(':') } }),
    ...(options.guild !== undefined && { guildId: options.guild }),
    ...(options.team !== undefined && { teamId: options.team }),
    ...(options.role !== undefined && { roles: options.role }),
  };
}

const match = (command: Command): Command =>
  command
    .option('--channel <channel>', 'messages of this channel')
    .option('--account <id>', 'of this account; * for every one; default: the default account')
    .option('--peer <kind:id>', 'of this person, group or channel: dm:42, group:-100')
    .option('--guild <id>', 'of this guild')
    .option('--team <id>', 'of this team')
    .option('--role <role...>', 'whose sender has one of these roles');

/** `plexus bind`, `plexus unbind`, `plexus binds ls`: which agent gets which messages. */
export function bindCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  match(program.command('bind <agent>').description('send messages of a channel to an agent'))
    .option('--comment <text>', 'why')
    .option('--force', 'take them away from the agent that has them')
    .action(async (agentId: string, options: MatchOptions & { comment?: string; force?: boolean }) => {
      const binding: Binding = { agentId, match: matchOf(options), ...(options.comment !== undefined && { comment: options.comment }) };
      let bound: Bound | undefined;
      const written = await new ConfigClient(mesh()).edit(
        (document) => {
          const known = agentsOf(document).map(({ id }) => id);
          if (!known.includes(agentId)) throw new CommandFailure(`There is no agent ${agentId}.`, EXIT.failed, `There are: ${known.join(', ')}.`, 'NOT_FOUND');
          bound = bind(document, binding, options.force === true);
          return bound.document;
        },
        `bind ${agentId} ${describeMatch(binding)}`,
      );
      const { outcome, index, previous } = bound as Bound;
      if (outcome === 'identical') {
        output().result({ ...written, outcome, index }, `Skipped: binding ${index} says the same already (${describeMatch(binding)} → ${agentId}).`);
        return;
      }
      const instead = previous === undefined ? '' : ` instead of ${previous}`;
      reportWritten(output(), written, `${describeMatch(binding)} → ${agentId}${instead}.`, { outcome, index, ...(previous !== undefined && { previous }) });
    });

  match(program.command('unbind [agent]').description('remove bindings: by position, or by what they match'))
    .option('--index <n>', 'position, as `plexus binds ls` shows it')
    .action(async (agentId: string | undefined, options: MatchOptions & { index?: string }) => {
      const position = options.index === undefined ? undefined : Number(options.index);
      if (position !== undefined && !Number.isInteger(position))
        throw new CommandFailure(`${JSON.stringify(options.index)} is not a position.`, EXIT.usage, undefined, 'USAGE');
      const which = position === undefined ? { binding: { match: matchOf(options), ...(agentId !== undefined && { agentId }) } } : { index: position };
      let removed: Binding[] = [];
      const written = await new ConfigClient(mesh()).edit((document) => {
        const result = unbind(document, which);
        removed = result.removed;
        return result.document;
      }, 'unbind');
      reportWritten(output(), written, `Removed ${removed.map((binding) => `${describeMatch(binding)} → ${binding.agentId}`).join('; ')}.`, { removed });
    });

  program
    .command('binds')
    .description('bindings of the tenant')
    .command('ls')
    .description('in order: the first that matches at its tier wins')
    .action(async () => {
      const bindings = bindingsOf(parseDocument((await new ConfigClient(mesh()).get()).text));
      output().result(
        bindings,
        bindings.length === 0
          ? 'There are no bindings: every message goes to the default agent.'
          : table([
              ['#', 'MESSAGES', 'AGENT', 'COMMENT'],
              ...bindings.map((binding, index) => [String(index), describeMatch(binding), binding.agentId, binding.comment ?? '']),
            ]),
      );
    });
}
