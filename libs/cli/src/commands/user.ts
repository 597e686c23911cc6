import { routingContracts as routing } from '@plexus/contracts';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.js';
import type { MeshOptions } from '../mesh.js';
import { callAsOperator } from '../operator-call.js';
import { type Output, table } from '../output.js';

interface Options {
  readonly tenant: string;
  readonly yes?: boolean;
  readonly waitMs: number;
}

type Erasure = Awaited<ReturnType<typeof callAsOperator<typeof routing.getErasure>>>;

const POLL_MS = 500;

/** `plexus user erase|erasure`: forgets a person in every service, and shows the receipts. */
export function userCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  const user = program.command('user').description('people: erase what is kept of one');

  user
    .command('erase <user>')
    .description('erase everything that is kept of a person, in every service; cannot be undone')
    .option('--tenant <tenant>', 'the tenant', 'default')
    .option('--yes', 'it is meant')
    .option('--wait-ms <ms>', 'how long receipts are waited for', Number, 30_000)
    .action(async (name: string, options: Options) => {
      if (options.yes !== true) {
        throw new CommandFailure(
          `Everything that is kept of ${JSON.stringify(name)} would be erased for good.`,
          EXIT.usage,
          'Repeat it with --yes.',
          'CONFIRM',
        );
      }
      const { erasureId } = await callAsOperator(mesh(), routing.eraseUser, options, { user: name });
      const until = Date.now() + options.waitMs;
      let erasure = await callAsOperator(mesh(), routing.getErasure, options, { erasureId });
      while (!erasure.complete && Date.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        erasure = await callAsOperator(mesh(), routing.getErasure, options, { erasureId });
      }
      report(output(), erasure);
    });

  user
    .command('erasure <erasureId>')
    .description('receipts of an erasure, and whose are missing')
    .option('--tenant <tenant>', 'the tenant', 'default')
    .action(async (erasureId: string, options: Options) => report(output(), await callAsOperator(mesh(), routing.getErasure, options, { erasureId })));
}

function report(output: Output, erasure: Erasure): void {
  const counts = (of: Readonly<Record<string, number>>) =>
    Object.entries(of)
      .map(([kind, count]) => `${count} ${kind}`)
      .join(', ');
  const rows = erasure.receipts.map(({ service, at, counts: of, problem }) => [service, at, problem ?? counts(of)]);
  const missing = erasure.complete
    ? 'Every service has erased.'
    : `No receipt yet from: ${erasure.missing.join(', ')}. Ask again with \`plexus user erasure ${erasure.erasureId}\`.`;
  output.result(erasure, [...(rows.length === 0 ? [] : table([['SERVICE', 'AT', 'ERASED'], ...rows])), missing]);
  if (!erasure.complete || erasure.receipts.some(({ problem }) => problem !== undefined)) process.exitCode = EXIT.findings;
}
