import { statePaths } from '@plexus/local-stack';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.js';
import type { MeshOptions } from '../mesh.js';
import { type Output, table } from '../output.js';
import { drawTrace, readSpans, summarise } from '../trace-tree.js';

/** `plexus trace ls|show`: traces that the embedded mesh recorded in its state folder. */
export function traceCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  const trace = program.command('trace').description('traces of the embedded mesh, across processes');
  const spans = () => readSpans(statePaths(mesh().state).traces);

  trace
    .command('ls')
    .description('newest first')
    .option('--limit <n>', 'at most so many', Number, 20)
    .option('--name <text>', 'only traces whose first span contains this text')
    .action((options: { limit: number; name?: string }) => {
      const found = summarise(spans())
        .filter((one) => one.name.includes(options.name ?? ''))
        .slice(0, options.limit);
      const rows = found.map((one) => [
        one.traceId,
        new Date(one.startMs).toISOString(),
        `${one.durationMs.toFixed(0)} ms`,
        `${one.spans} spans`,
        one.services.join(' → '),
        one.name,
      ]);
      output().result(found, rows.length === 0 ? 'No traces yet.' : table(rows));
    });

  trace
    .command('show [traceId]')
    .description('one trace as a tree; without an id the newest that crosses at least three services')
    .action((traceId?: string) => {
      const all = spans();
      const chosen = traceId ?? summarise(all).find((one) => one.services.length >= 3)?.traceId;
      const own = all.filter((span) => span.traceId === chosen);
      if (own.length === 0)
        throw new CommandFailure(
          chosen === undefined ? 'No trace crosses three services yet.' : `There is no trace ${chosen}.`,
          EXIT.failed,
          '`plexus trace ls` shows what was recorded.',
          'NOT_FOUND',
        );
      output().result(own, [`trace ${chosen}`, ...drawTrace(own)]);
    });
}
