import type { Command } from 'commander';
import { ConfigClient, parseDocument } from '../config-client.js';
import { addAgent, agentsOf, removeAgent, updateAgent } from '../config-edits.js';
import type { MeshOptions } from '../mesh.js';
import { type Output, table } from '../output.js';
import { reportWritten } from './config-output.js';

interface AgentOptions {
  readonly name?: string;
  readonly model?: string;
  readonly systemPrompt?: string;
  readonly owner?: string;
  readonly scope?: string;
  readonly workspace?: string;
  readonly default?: boolean;
  readonly unset?: string[];
}

const settingsOf = ({ unset: _unset, ...options }: AgentOptions): Record<string, unknown> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));

const settings = (command: Command): Command =>
  command
    .option('--name <name>', 'what people see')
    .option('--model <reference>', 'model it uses')
    .option('--system-prompt <text>', 'standing instruction')
    .option('--owner <user>', 'whose its channel sessions are')
    .option('--scope <scope>', 'who shares a VM: user, session, agent, shared')
    .option('--workspace <folder>', 'folder it works in')
    .option('--default', 'make it the default agent');

/** `plexus agents ls|add|update|rm`. */
export function agentsCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  const agents = program.command('agents').description('agents of the tenant');

  agents
    .command('ls')
    .description('the configured agents')
    .action(async () => {
      const list = agentsOf(parseDocument((await new ConfigClient(mesh()).get()).text));
      const cell = (value: unknown) => (typeof value === 'string' ? value : '–');
      output().result(
        list,
        table([
          ['ID', 'DEFAULT', 'NAME', 'MODEL'],
          ...list.map((agent) => [agent.id, agent.default === true ? 'yes' : '', cell(agent.name), cell(agent.model)]),
        ]),
      );
    });

  settings(agents.command('add <id>').description('add an agent')).action(async (id: string, options: AgentOptions) => {
    const written = await new ConfigClient(mesh()).edit((document) => addAgent(document, { id, ...settingsOf(options) }), `agents add ${id}`);
    reportWritten(output(), written, `Agent ${id} is there.`);
  });

  settings(agents.command('update <id>').description('change an agent'))
    .option('--unset <settings...>', 'settings to remove')
    .action(async (id: string, options: AgentOptions) => {
      const removed = Object.fromEntries((options.unset ?? []).map((setting) => [setting, null]));
      const written = await new ConfigClient(mesh()).edit(
        (document) => updateAgent(document, id, { ...settingsOf(options), ...removed }),
        `agents update ${id}`,
      );
      reportWritten(output(), written, `Agent ${id} is changed.`);
    });

  agents
    .command('rm <id>')
    .description('remove an agent')
    .option('--force', 'with the bindings that send messages to it')
    .action(async (id: string, { force = false }: { force?: boolean }) => {
      const written = await new ConfigClient(mesh()).edit((document) => removeAgent(document, id, force), `agents rm ${id}`);
      reportWritten(output(), written, `Agent ${id} is gone.`);
    });
}
