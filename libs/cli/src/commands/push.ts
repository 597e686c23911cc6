import type { Command } from 'commander';
import type { MeshOptions } from '../mesh.js';
import type { Output } from '../output.js';
import { pushFollowCommands } from './push-follow.js';
import { pushInboxCommands } from './push-inbox.js';
import { pushInsightCommands } from './push-insight.js';
import { pushPolicyCommands } from './push-policy.js';
import { pushReachCommands } from './push-reach.js';
import { pushTriggerCommands } from './push-triggers.js';
import { pushWishesCommands } from './push-wishes.js';

/** What every part of `plexus push` is given: it adds its subcommands to `command`. */
export type PushSubcommands = (command: Command, output: () => Output, mesh: () => MeshOptions) => void;

/** The parts of `plexus push`, in the order in which `--help` shows them. */
const PARTS: readonly PushSubcommands[] = [
  pushFollowCommands,
  pushWishesCommands,
  pushReachCommands,
  pushInboxCommands,
  pushInsightCommands,
  pushPolicyCommands,
  pushTriggerCommands,
];

/** `plexus push …`: what people follow and how they want to be reached. */
export function pushCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  const command = program.command('push').description('notifications: what is followed, how one wants to be reached, and why something came or did not');
  for (const addTo of PARTS) addTo(command, output, mesh);
}
