import { readFileSync } from 'node:fs';
import { statePaths } from '@plexus/local-stack';
import type { Command } from 'commander';
import { DEMO_STEPS } from '../demo-steps.js';
import { CommandFailure, EXIT } from '../exit-code.js';
import { gatewayAccess, type MeshOptions } from '../mesh.js';
import type { Output } from '../output.js';

function integratorUrl(options: MeshOptions): string {
  const file = statePaths(options.state).integratorUrl;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new CommandFailure(
      `The address for integrators cannot be read: ${(cause as Error).message}`,
      EXIT.unreachable,
      'The demo needs an embedded mesh: start one with `npm start`.',
      'NOT_RUNNING',
    );
  }
}

/** `plexus demo`: plays what the mesh does against a running one; exit 0 only if everything happened. */
export function demoCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  program
    .command('demo')
    .description('play chat, event and memory against the running mesh, step by step')
    .action(async () => {
      const options = mesh();
      const access = gatewayAccess(options);
      const target = { ...access, integratorUrl: integratorUrl(options) };
      const results: { title: string; ok: boolean; proved?: string; error?: string }[] = [];
      for (const [index, step] of DEMO_STEPS.entries()) {
        output().note(`\n${index + 1}. ${step.title}`);
        try {
          const proved = await step.run(target, (line) => output().note(`     ${line}`));
          results.push({ title: step.title, ok: true, proved });
          output().note(`   ✓ ${proved}`);
        } catch (cause) {
          const error = (cause as Error).message;
          results.push({ title: step.title, ok: false, error });
          output().note(`   ✗ ${error}`);
        }
      }
      const failed = results.filter((result) => !result.ok).length;
      output().result(
        { ok: failed === 0, steps: results },
        failed === 0
          ? '\nEverything happened as it should. Next: `npx plexus trace show` draws the path of the message.'
          : `\n${failed} of ${results.length} steps failed; \`npx plexus status\` and the logs in ${options.state}/logs say more.`,
      );
      if (failed > 0) process.exitCode = EXIT.failed;
    });
}
