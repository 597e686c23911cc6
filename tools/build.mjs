// Builds everything that changed: Prisma clients of changed schemas, then one incremental `tsc -b`, and the page of the console beside them.
// `npm start` and `npm test` call it.
import { statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { pageIsCurrent } from '../services/console/build.mjs';
import { capture, onNode24, projects, root, runWithin, tool } from './projects.mjs';

const modified = (file) => statSync(path.join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
const GENERATE_BUDGET_MS = 120_000;
const PAGE_BUDGET_MS = 120_000;

/** Builds. Resolves with undefined, or with the compiler's messages when it failed. */
export async function build() {
  const page = pageIsCurrent() ? undefined : runWithin(PAGE_BUDGET_MS, process.execPath, [path.join(root, 'services/console/build.mjs')]);
  const stale = projects().filter(
    (project) => modified(`${project}/prisma/schema.prisma`) > 0 && modified(`${project}/gen/client.ts`) <= modified(`${project}/prisma/schema.prisma`),
  );
  const generated = await Promise.all(
    stale.map((project) => runWithin(GENERATE_BUDGET_MS, process.execPath, [path.join(root, 'tools/prisma-generate.mjs')], { cwd: path.join(root, project) })),
  );
  const broken = stale.filter((_project, index) => generated[index].code !== 0);
  if (broken.length > 0) {
    return broken.map((project) => `prisma generate failed in ${project}:\n${generated[stale.indexOf(project)].output.trim()}`).join('\n\n');
  }
  const compiled = capture(process.execPath, [tool('typescript/bin/tsc'), '-b', 'tsconfig.json', '--pretty', String(process.stderr.isTTY === true)]);
  if (!compiled.ok) return `The build failed:\n${compiled.output}`;
  const bundled = await page;
  return bundled === undefined || bundled.code === 0 ? undefined : `The console cannot be built:\n${bundled.output.trim()}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await onNode24(import.meta.url);
  const begunAt = performance.now();
  const problem = await build();
  if (problem !== undefined) {
    process.stderr.write(`${problem}\n`);
    process.exit(1);
  }
  process.stderr.write(`Built in ${((performance.now() - begunAt) / 1_000).toFixed(1)} s.\n`);
}
