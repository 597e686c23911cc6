// Checks the directions between projects and layers (.dependency-cruiser.cjs) on the sources. Exit code 1 and one line per violation.
// `lint-boundaries.mjs <folder>`: another checkout with the same layout (the test of the rules uses this).
import path from 'node:path';
import { cruise } from 'dependency-cruiser';
import extractTranspileOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';
import { root } from './projects.mjs';

const base = path.resolve(process.argv[2] ?? root);
const options = await extractTranspileOptions(path.join(root, '.dependency-cruiser.cjs'));
const { output } = await cruise(['libs', 'services'], { ...options, baseDir: base, validate: true });
const { violations, totalCruised } = output.summary;
for (const { rule, from, to, cycle } of violations) {
  const { comment } = output.summary.ruleSetUsed.forbidden.find(({ name }) => name === rule.name) ?? {};
  process.stdout.write(`${from} → ${to}${cycle ? ` → … (cycle of ${cycle.length})` : ''}\n    ${rule.name}: ${comment ?? ''}\n`);
}
process.stdout.write(`${totalCruised} files, ${violations.length} violation${violations.length === 1 ? '' : 's'} of the boundaries\n`);
process.exit(violations.length === 0 ? 0 : 1);
