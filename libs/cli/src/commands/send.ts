import { randomUUID } from 'node:crypto';
import { routingContracts as routing } from '@plexus/contracts';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.js';
import type { MeshOptions } from '../mesh.js';
import { callAsOperator } from '../operator-call.js';
import type { Output } from '../output.js';

interface Options {
  readonly tenant: string;
  readonly user: string;
  readonly account?: string;
  readonly agent?: string;
  readonly thread?: string;
  readonly session?: string;
  readonly key?: string;
  readonly dryRun?: boolean;
  readonly waitMs: number;
}

const POLL_MS = 250;

/** `plexus send <channel> <to> <text>`: a message to a chat channel, shown in the session of its target. */
export function sendCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  program
    .command('send <channel> <to> <text>')
    .description('send a message to a chat channel')
    .option('--account <id>', 'this account and no other')
    .option('--agent <id>', 'the agent that speaks; default: the default agent')
    .option('--thread <id>', 'thread or topic')
    .option('--session <key>', 'show it in this session instead of the one of the target')
    .option('--key <key>', 'idempotency key; default: a new one')
    .option('--dry-run', 'only say where it would go')
    .option('--wait-ms <ms>', 'how long the outcome is waited for', Number, 15_000)
    .option('--tenant <tenant>', 'the tenant', 'default')
    .option('--user <user>', 'who sends', 'me')
    .action(async (channel: string, to: string, text: string, options: Options) => {
      const { send, route, cached } = await callAsOperator(mesh(), routing.sendMessage, options, request(channel, to, text, options));
      if (send === undefined) {
        output().result({ route }, `It would go to ${route?.to} over ${route?.channel}/${route?.accountId} and show in ${route?.sessionKey}.`);
        return;
      }
      const outcome = await outcomeOf(mesh(), options, send);
      if (outcome.status === 'failed') {
        throw new CommandFailure(
          `It could not be sent: ${outcome.error?.message ?? 'no reason given'}`,
          EXIT.failed,
          '`plexus dlq ls` shows it.',
          outcome.error?.code,
        );
      }
      const state = outcome.status === 'sent' ? `sent over ${outcome.channel}/${outcome.accountId}` : 'on its way';
      output().result({ send: outcome, cached }, `${outcome.sendId} is ${state}${cached ? ' (known from before)' : ''}.`);
    });
}

function request(channel: string, to: string, text: string, options: Options) {
  const { account: accountId, agent: agentId, thread: threadId, session: sessionKey, key, dryRun = false } = options;
  return {
    ...{ channel, to, text, dryRun, idempotencyKey: key ?? randomUUID() },
    ...(accountId === undefined ? {} : { accountId }),
    ...(agentId === undefined ? {} : { agentId }),
    ...(threadId === undefined ? {} : { threadId }),
    ...(sessionKey === undefined ? {} : { sessionKey }),
  };
}

/** The send once it has ended, or as it is when the time is over. */
async function outcomeOf(mesh: MeshOptions, options: Options, send: routing.SendSummary): Promise<routing.SendSummary> {
  const until = Date.now() + options.waitMs;
  let current = send;
  while (current.status !== 'sent' && current.status !== 'failed' && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    current = (await callAsOperator(mesh, routing.getSend, options, { sendId: send.sendId })).send ?? current;
  }
  return current;
}
