import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { runVectors, type VectorFailure, type VectorReport } from '@plexus/routing-core/vectors';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.js';
import type { Output } from '../output.js';

/** `plexus vectors <dir>`: works without a mesh. */
export function vectorsCommand(program: Command, output: () => Output): void {
  program
    .command('vectors <folder>')
    .description('run every vector file of a folder through the routing library; exit 1 when a vector does not hold')
    .action(async (folder: string) => {
      const reports: VectorReport[] = [];
      for (const file of filesOf(folder)) reports.push(await runFile(folder, file));
      const known = reports.filter((report) => report.known);
      const skipped = reports.filter((report) => !report.known).map((report) => report.file);
      const passed = known.reduce((sum, report) => sum + report.passed, 0);
      const failed = known.reduce((sum, report) => sum + report.failures.length, 0);
      output().result({ passed, failed, skipped, files: known }, [
        ...known.flatMap((report) => report.failures.map((failure) => failureText(report.file, failure))),
        ...skipped.map((file) => `skipped ${file}: not a vector file that is known here`),
        ...known.map((report) => `${report.failures.length === 0 ? 'ok  ' : 'FAIL'} ${report.file}: ${report.passed} passed, ${report.failures.length} failed`),
        `${passed} passed, ${failed} failed`,
      ]);
      // A mistyped folder must not look like success.
      if (known.length === 0) {
        output().note(`No vector file is in ${folder}: name a folder with files like resolve-route.json or session-key.json.`);
        process.exitCode = EXIT.usage;
      }
      if (failed > 0) process.exitCode = EXIT.failed;
    });
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => statSync(path.join(folder, name)).isFile())
      .sort();
  } catch (cause) {
    throw new CommandFailure(`The folder ${folder} cannot be read: ${(cause as Error).message}`, EXIT.usage, 'Name a folder with vector files.', 'NO_FOLDER');
  }
}

async function runFile(folder: string, file: string): Promise<VectorReport> {
  // An unknown file need not even be JSON.
  const probe = await runVectors(file, []);
  if (!probe.known) return probe;
  try {
    return await runVectors(file, JSON.parse(readFileSync(path.join(folder, file), 'utf8')));
  } catch (cause) {
    const got = { error: (cause as Error).message };
    return { file, known: true, passed: 0, failures: [{ name: '(file)', input: null, expected: 'a JSON list of vectors', got }] };
  }
}

function failureText(file: string, { name, op, input, expected, got, ...rest }: VectorFailure): string {
  return [
    `FAIL ${file}: ${name}${op === undefined ? '' : ` [${op}]`}`,
    `  input     ${JSON.stringify(input)}`,
    `  expected  ${JSON.stringify(expected)}`,
    ...('alternative' in rest ? [`  or        ${JSON.stringify(rest.alternative)}`] : []),
    `  got       ${JSON.stringify(got)}`,
  ].join('\n');
}
