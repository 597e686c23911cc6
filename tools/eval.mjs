// `npm run eval -- <project> [options]`: runs the project's `eval/*.eval.ts`, which measure quality rather than speed and write their own page under
// docs. Settings of what is measured come from the environment, options go to the files. Exit code 1 when one failed to run.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { build } from './build.mjs';
import { environment, filesOf, onNode24, projects, root } from './projects.mjs';

await onNode24(import.meta.url);
const [chosen, ...options] = process.argv.slice(2);
const found = projects()
  .filter((project) => chosen === undefined || chosen === project || chosen === path.basename(project))
  .flatMap((project) => filesOf(project, 'eval/*.eval.ts').map((file) => ({ project, file })));
if (found.length === 0) {
  process.stderr.write(`Nothing to evaluate${chosen === undefined ? '' : ` in ${chosen}`}.\n`);
  process.exit(2);
}
const problem = await build();
if (problem !== undefined) {
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}
let broken = 0;
for (const { project, file } of found) {
  process.stdout.write(`\n${project}/${file}\n`);
  const { status } = spawnSync(process.execPath, ['--no-warnings', file, ...options], {
    cwd: path.join(root, project),
    env: environment(),
    stdio: 'inherit',
  });
  if (status !== 0) broken += 1;
}
process.exit(broken === 0 ? 0 : 1);
