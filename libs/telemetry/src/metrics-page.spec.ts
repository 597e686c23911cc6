import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { METRIC_CATALOGUE, type MetricDefinition } from './metrics-catalogue.js';

const file = fileURLToPath(new URL('../../../docs/reference/metrics.md', import.meta.url));
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function row({ name, kind, unit, help, labels }: MetricDefinition): string {
  const shown = Object.entries(labels).map(([label, values]) => `\`${label}\`: ${typeof values === 'string' ? values : values.join(', ')}`);
  return `| \`${name}\` | ${kind.replace('observed-', '')} | ${unit} | ${cell(help)} | ${cell(shown.join('; '))} |`;
}

/** The page of the reference: every metric in the order of the catalogue. */
function metricsPage(): string {
  const rows = Object.values<MetricDefinition>(METRIC_CATALOGUE).map(row);
  return `# Metrics

<!-- Generated from libs/telemetry by \`UPDATE_README=1\` and its metrics-page.spec.ts; do not edit. -->

Every service shows them as Prometheus text at \`/metrics\` of its internal port. Labels have small fixed vocabularies: never a tenant, a user, a subject or an id.
Dashboards and alerts over them are in \`deploy/observability\`; what to do when one fires: [runbooks](../runbooks.md).

| metric | kind | unit | what | labels |
|---|---|---|---|---|
${rows.join('\n')}
`;
}

describe('docs/reference/metrics.md', () => {
  it('is what the catalogue declares now (UPDATE_README=1 writes it)', () => {
    const wanted = metricsPage();
    if (process.env.UPDATE_README === '1') writeFileSync(file, wanted);
    else expect(readFileSync(file, 'utf8')).toBe(wanted);
  });
});
