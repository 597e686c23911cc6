import type { Schema } from './json-schema.js';

interface Row {
  readonly path: string;
  readonly fallback: string;
  readonly description: string;
}

/** Keys whose parts are said once, in a table of their own. */
const ELSEWHERE = new Set(['services', 'defaults']);

/** The tables of the chart's README: every value with its default and what it does, from the schema and the values file. */
export function referenceTables(schema: Schema, values: Readonly<Record<string, unknown>>): string {
  const properties = schema.properties ?? {};
  const general = Object.entries(properties).flatMap(([key, part]) => (ELSEWHERE.has(key) ? [] : rows(part, values[key], key)));
  const { settings: _settings, ...workload } = properties.defaults?.properties ?? {};
  const defaults = values.defaults as Record<string, unknown>;
  const everywhere = Object.entries(workload).flatMap(([key, part]) => rows(part, defaults[key], key));
  return [
    '### The release',
    table(general),
    '### Every service: `defaults.…`, and `services.<name>.…` for one',
    table(everywhere),
    '### Settings of services: `services.<name>.settings.…`',
    'Each variable is described by the service itself; ranges and choices are in `values.schema.json`.',
    ...settingsTables(properties.services?.properties ?? {}),
  ].join('\n\n');
}

/** Channel adapters share their settings; those of every service are said once. */
function settingsTables(services: Readonly<Record<string, Schema>>): string[] {
  const said = new Map<string, { readonly names: string[]; readonly settings: Readonly<Record<string, Schema>> }>();
  for (const [name, { properties }] of Object.entries(services)) {
    const settings = properties?.settings?.properties ?? {};
    const same = said.get(JSON.stringify(settings));
    if (same === undefined) said.set(JSON.stringify(settings), { names: [name], settings });
    else same.names.push(name);
  }
  const all = [...said.values()];
  const shared = Object.keys(all[0]?.settings ?? {}).filter((variable) => all.every(({ settings }) => variable in settings));
  const tableOf = (settings: Readonly<Record<string, Schema>>, variables: string[]): string =>
    table(variables.map((path) => ({ path, fallback: shown(settings[path]?.default), description: settings[path]?.description ?? '' })));
  return [
    '#### all',
    tableOf(all[0]?.settings ?? {}, shared),
    ...all.flatMap(({ names, settings }) => [
      `#### ${names.join(', ')}`,
      tableOf(
        settings,
        Object.keys(settings).filter((variable) => !shared.includes(variable)),
      ),
    ]),
  ];
}

function rows(schema: Schema, value: unknown, path: string): Row[] {
  if (schema.properties !== undefined) {
    const children = (value ?? {}) as Record<string, unknown>;
    // An object that is empty unless somebody says more: its parts are worth one line.
    if (Object.keys(children).length === 0)
      return [{ path, fallback: shown(value), description: `${schema.description} Keys: ${Object.keys(schema.properties).join(', ')}.` }];
    return Object.entries(schema.properties).flatMap(([key, part]) => rows(part, children[key], `${path}.${key}`));
  }
  return [{ path, fallback: shown(value), description: schema.description ?? '' }];
}

function shown(value: unknown): string {
  if (value === undefined || value === '') return '–';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 100 ? 'see values.yaml' : `\`${text}\``;
}

function table(all: readonly Row[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
  return [
    '| value | default | |',
    '|---|---|---|',
    ...all.map(({ path, fallback, description }) => `| \`${path}\` | ${cell(fallback)} | ${cell(description)} |`),
  ].join('\n');
}
