import { loadConfigFile } from '@plexus/agent-config';
import { type InputOf, isTenantId, routingContracts } from '@plexus/contracts';
import { type BindingProblem, compileRoutes, explainRoute, type RoutingConfig } from '@plexus/routing-core';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.js';
import type { MeshOptions } from '../mesh.js';
import { callAsOperator } from '../operator-call.js';
import { type Output, table } from '../output.js';

type Question = InputOf<typeof routingContracts.explainRoute>;

interface ExplainOptions {
  readonly account?: string;
  readonly peer?: string;
  readonly parent?: string;
  readonly guild?: string;
  readonly team?: string;
  readonly role?: string[];
  readonly tenant: string;
  readonly config?: string;
}

/** What is shown, from the mesh or from a file. */
interface Answer {
  readonly route: { agentId: string; sessionKey: string; mainSessionKey: string; matchedBy: string; channel: string; accountId: string };
  readonly tiers: readonly { tier: string; tried?: unknown; matched: boolean; reason: string }[];
  readonly revision?: number | undefined;
  readonly problems?: readonly BindingProblem[];
}

/** `plexus route explain <channel>`: asks the running mesh, or a configuration file with `--config`. */
export function routeCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  program
    .command('route')
    .description('where messages go')
    .command('explain <channel>')
    .description('which agent and session a message goes to, and what every tier of the bindings said about it')
    .option('--account <id>', 'the account of the channel; default: the default account')
    .option('--peer <kind:id>', 'who wrote, or where: dm:42, group:-1001, channel:C1')
    .option('--parent <kind:id>', 'the conversation that the peer is a thread of')
    .option('--guild <id>', 'the guild (Discord)')
    .option('--team <id>', 'the team (Slack, Teams)')
    .option('--role <id...>', 'roles of the sender in the guild')
    .option('--tenant <tenant>', 'the tenant', 'default')
    .option('--config <file>', "a tenant's configuration file; no mesh is needed")
    .action(async (channel: string, options: ExplainOptions) => {
      const question = questionOf(channel, options);
      const answer = options.config === undefined ? await askMesh(mesh(), options.tenant, question) : askFile(options.config, question);
      output().result(answer, text(question, answer));
    });
}

function questionOf(channel: string, { account, peer, parent, guild, team, role }: ExplainOptions): Question {
  if (channel.trim() === '') throw new CommandFailure('The channel is blank.', EXIT.usage, 'Name one, for example telegram.', 'USAGE');
  return {
    channel,
    ...(account === undefined ? {} : { accountId: account }),
    ...(peer === undefined ? {} : { peer: peerOf(peer) }),
    ...(parent === undefined ? {} : { parentPeer: peerOf(parent) }),
    ...(guild === undefined ? {} : { guildId: guild }),
    ...(team === undefined ? {} : { teamId: team }),
    ...(role === undefined ? {} : { memberRoleIds: role }),
  };
}

/** `dm:42`, `direct:42`, `group:-100:topic:7`, `channel:C1`. */
function peerOf(text: string): { kind: string; id: string } {
  const [, kind, id] = /^\s*(dm|direct|group|channel)\s*:\s*(.+)$/is.exec(text) ?? [];
  if (kind === undefined || id === undefined) {
    throw new CommandFailure(`${JSON.stringify(text)} names no peer.`, EXIT.usage, 'Write dm:<id>, group:<id> or channel:<id>.', 'USAGE');
  }
  return { kind: kind.toLowerCase(), id };
}

async function askMesh(mesh: MeshOptions, tenant: string, question: Question): Promise<Answer> {
  if (!isTenantId(tenant))
    throw new CommandFailure(`${JSON.stringify(tenant)} is not a tenant id.`, EXIT.usage, 'Tenant ids are [a-z0-9][a-z0-9_-]{0,63}.', 'USAGE');
  const { route, tiers } = await callAsOperator(mesh, routingContracts.explainRoute, { tenant }, question);
  return { route, tiers: tiers as unknown as Answer['tiers'], revision: route.configRevision };
}

function askFile(file: string, question: Question): Answer {
  const loaded = loadConfigFile(file);
  if (!loaded.ok) {
    const [first, ...others] = loaded.error;
    const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
    const where = first?.path ? ` at ${first.path}` : '';
    throw new CommandFailure(
      `${file} cannot be used${where}: ${first?.message ?? 'unknown problem'}${more}`,
      EXIT.findings,
      first?.fix,
      first?.code ?? 'CONFIG_INVALID',
    );
  }
  const { document } = loaded.value;
  if (document === null || typeof document !== 'object' || Array.isArray(document)) {
    throw new CommandFailure(`${file} is no tenant document.`, EXIT.findings, 'It holds {agents, bindings, session, …}.', 'CONFIG_INVALID');
  }
  const routes = compileRoutes(document as RoutingConfig);
  return { ...explainRoute(routes, question), problems: routes.problems };
}

function text(question: Question, { route, tiers, revision, problems = [] }: Answer): string[] {
  const peer = question.peer ? `, ${question.peer.kind} ${question.peer.id}` : '';
  return [
    `${route.channel}/${route.accountId}${peer}`,
    `→ agent ${route.agentId}, session ${route.sessionKey}, decided by ${route.matchedBy}${revision === undefined ? '' : `, configuration revision ${revision}`}`,
    '',
    ...table([
      ['TIER', 'RESULT', 'REASON'],
      ...tiers.map(({ tier, tried, matched, reason }) => [tier, matched ? 'match' : tried === false ? '-' : 'no', reason]),
    ]),
    ...(problems.length === 0 ? [] : ['', 'Bindings that do less than they say:']),
    ...problems.map(({ index, code, message, hint }) => `  bindings[${index}] ${code}: ${message} ${hint}`),
  ];
}
