import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { CONSUMERS } from '@plexus/contracts';
import { parse, stringify } from 'yaml';
import { referenceTables } from './reference-table.js';
import { SERVICE_NAMES, serviceSettings } from './service-settings.js';
import { valuesSchema } from './values-schema.js';

/** Folder of the chart in the repository. */
export const CHART = 'helm/plexus';
const TABLES = /(<!-- values:begin -->\n)[\s\S]*(\n<!-- values:end -->)/;
const GENERATED = '# Written by `npm run generate` in deploy/. Changes belong into the source.\n';

/** What dashboards and alerts are copied from, and to where in the chart. */
const OBSERVABILITY = [
  { from: 'deploy/observability/dashboards', to: `${CHART}/files/dashboards`, ending: '.json' },
  { from: 'deploy/observability/rules', to: `${CHART}/files/rules`, ending: '.yaml' },
];

/** Every file of the chart that is made from something else, by its path in the repository. Services must be built. */
export async function chartFiles(root: string): Promise<Map<string, string>> {
  const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
  const schema = valuesSchema(await serviceSettings(root));
  const values = parse(read(`${CHART}/values.yaml`)) as Record<string, unknown>;
  const readme = read(`${CHART}/README.md`);
  if (!TABLES.test(readme)) throw new Error(`${CHART}/README.md has lost its marks values:begin and values:end`);
  return new Map([
    [`${CHART}/values.schema.json`, `${JSON.stringify(schema, undefined, 2)}\n`],
    [`${CHART}/README.md`, readme.replace(TABLES, (_all, begin: string, end: string) => `${begin}\n${referenceTables(schema, values)}\n${end}`)],
    [`${CHART}/files/consumers.yaml`, `${GENERATED}${stringify(consumersByService())}`],
    ...OBSERVABILITY.flatMap(({ from, to, ending }) =>
      filesIn(path.join(root, from), ending).map((file) => [`${to}/${file}`, read(`${from}/${file}`)] as const),
    ),
  ]);
}

/** Files of the chart that nothing stands behind any more. */
export function leftOver(root: string, files: ReadonlyMap<string, string>): string[] {
  return OBSERVABILITY.flatMap(({ to, ending }) => filesIn(path.join(root, to), ending).map((file) => `${to}/${file}`)).filter((file) => !files.has(file));
}

function filesIn(folder: string, ending: string): string[] {
  return existsSync(folder)
    ? readdirSync(folder)
        .filter((file) => file.endsWith(ending))
        .sort()
    : [];
}

/** Consumers whose lag says that a service needs more replicas. An adapter's service is called as its consumer is. */
function consumersByService(): Record<string, { stream: string; consumer: string }[]> {
  const all = Object.values(CONSUMERS);
  return Object.fromEntries(
    SERVICE_NAMES.map((service) => [
      service,
      all.filter(({ name, service: owner }) => owner === service || name === service).map(({ stream, name: consumer }) => ({ stream, consumer })),
    ]),
  );
}
