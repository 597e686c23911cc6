import { applyStreams, type PlanEntry, planStreams } from '@plexus/bus';
import type { Command } from 'commander';
import { EXIT } from '../exit-code.js';
import { type MeshOptions, withBus } from '../mesh.js';
import { type Output, table } from '../output.js';

const SIGNS = { create: '+', update: '~', conflict: '!', ok: ' ' } as const;

function show(entries: readonly PlanEntry[]): string[] {
  const changed = entries.filter((entry) => entry.action !== 'ok');
  if (changed.length === 0) return [`Nothing to do: ${entries.length} streams, consumers and buckets are as declared.`];
  const rows = changed.map((entry) => [
    SIGNS[entry.action],
    entry.kind,
    entry.asset,
    entry.differences
      .map(
        (difference) =>
          `${difference.field}: ${JSON.stringify(difference.stored)} → ${JSON.stringify(difference.declared)}${difference.reason ? ` (${difference.reason})` : ''}`,
      )
      .join('; '),
  ]);
  return [...table(rows), '', `${changed.length} to change, ${entries.length - changed.length} as declared.`];
}

/** `plexus nats plan|apply`: streams, consumers and buckets as declared in the contracts. */
export function natsCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  const nats = program.command('nats').description('compare (plan) or create and update (apply) streams, consumers and buckets');

  nats
    .command('plan')
    .description('what `apply` would do; exit 4 when there is anything')
    .action(async () => {
      const entries = await withBus(mesh(), planStreams);
      output().result(entries, show(entries));
      if (entries.some((entry) => entry.action !== 'ok')) process.exitCode = EXIT.findings;
    });

  nats
    .command('apply')
    .description('create and update; never deletes messages; exit 4 when conflicts remain')
    .option('--max-bytes <bytes>', 'cap on the size of each stream and bucket, for small disks', Number)
    .action(async (options: { maxBytes?: number }) => {
      const entries = await withBus(mesh(), (bus) => applyStreams(bus, options.maxBytes === undefined ? {} : { maxBytesCap: options.maxBytes }));
      output().result(entries, show(entries));
      if (entries.some((entry) => entry.action === 'conflict')) process.exitCode = EXIT.findings;
    });
}
