import { alternatives, type SchemaNode, tenantSchema } from './validate/schema-tree.js';
import { NOT_ACTED_ON } from './validate/not-acted-on.js';
import { RELOAD_RULES } from './reload/reload-rules.js';
import { TOOL_GROUPS, TOOL_PROFILES } from './resolve/tool-names.js';

interface Row {
  readonly path: string;
  readonly type: string;
  readonly fallback: string;
  readonly text: string;
}

/** The reference of a tenant's document in Markdown, printed from its schema and the reload rules. */
export function referencePage(): string {
  const printed = new Map<string, string>();
  const sections = Object.entries(tenantSchema().properties ?? {}).map(([name, node]) => section(name, node, printed));
  return `${[HEAD, ...sections, idleSection(), reloadSection(), toolSection()].join('\n\n')}\n`;
}

const HEAD = `# Configuration of a tenant

<!-- Generated from libs/agent-config by npm run generate; do not edit. -->

One JSON5 document, in files (\`plexus.json5\` with \`$include\`) or in the bucket \`PLEXUS_CONFIG\` under the tenant's id. An unknown
key is an error. In paths, \`<id>\` stands for a key of your choice and \`[]\` for every entry of a list. \`\${NAME}\` in a text is a
reference to a variable: it is stored as it is and resolved by the service that needs the value; \`$\${NAME}\` is the text itself.
Secrets are written as references only: \`\${NAME}\`, \`{ env: "NAME" }\`, \`{ file: "/path" }\` or \`{ sealed: "…" }\`.`;

/** `printed` holds the parts that have tables already, with their paths. */
function section(name: string, node: SchemaNode, printed: Map<string, string>): string {
  const rows = rowsOf(name, node, printed);
  // What the heading says of an object needs no row of its own.
  const told = rows.length > 1 && !('default' in node) ? rows.slice(1) : rows;
  const table = told.map(({ path, type, fallback, text }) => `| \`${path}\` | ${cell(type)} | ${cell(fallback)} | ${cell(text)} |`);
  return [`## ${name}`, node.description ?? '', ['| setting | value | default | meaning |', '|---|---|---|---|', ...table].join('\n')]
    .filter((part) => part !== '')
    .join('\n\n');
}

function rowsOf(path: string, node: SchemaNode, printed: Map<string, string>): Row[] {
  const own: Row = { path, type: typeOf(node), fallback: 'default' in node ? `\`${JSON.stringify(node.default)}\`` : '', text: node.description ?? '' };
  const shape = JSON.stringify([node.properties, node.additionalProperties, node.items]);
  const earlier = printed.get(shape);
  if (earlier !== undefined) return [{ ...own, text: `${own.text} Settings as in \`${earlier}\`.`.trim() }];
  const children = childrenOf(path, node, printed);
  if (children.length > 2) printed.set(shape, path);
  return [own, ...children];
}

function childrenOf(path: string, node: SchemaNode, printed: Map<string, string>): Row[] {
  if (isSecret(node)) return [];
  return alternatives(node).flatMap((one) => [
    ...Object.entries(one.properties ?? {}).flatMap(([key, inner]) => rowsOf(`${path}.${key}`, inner, printed)),
    ...(typeof one.additionalProperties === 'object' ? nested(`${path}.<id>`, one.additionalProperties, printed) : []),
    ...(one.items === undefined ? [] : nested(`${path}[]`, one.items, printed)),
  ]);
}

/** What stands in a list or under a free key has a line of its own only when there is something to say about it. */
function nested(path: string, node: SchemaNode, printed: Map<string, string>): Row[] {
  return node.description === undefined ? childrenOf(path, node, printed) : rowsOf(path, node, printed);
}

function isSecret(node: SchemaNode): boolean {
  return alternatives(node).some((one) => one.properties !== undefined && 'sealed' in one.properties);
}

function typeOf(node: SchemaNode): string {
  if (isSecret(node)) return 'secret reference';
  if (node.anyOf !== undefined) return [...new Set(node.anyOf.map(typeOf))].join(' or ');
  if (node.const !== undefined) return `\`${String(node.const)}\``;
  if (node.enum !== undefined) return node.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (node.type === 'array') return `list of ${node.items === undefined ? 'anything' : typeOf(node.items)}`;
  if (node.type === 'object' || node.properties !== undefined) return typeof node.additionalProperties === 'object' ? 'object by id' : 'object';
  if (node.type === 'integer' || node.type === 'number') return `${node.type === 'integer' ? 'whole number' : 'number'}${range(node)}`;
  if (node.type === 'boolean') return 'true, false';
  if (node.type === 'string') return node.maxLength === undefined ? 'text' : `text, up to ${node.maxLength}`;
  return 'anything';
}

function range({ minimum, maximum, exclusiveMinimum }: SchemaNode): string {
  const from = minimum ?? exclusiveMinimum;
  const isEndless = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER;
  if (from === undefined && isEndless) return '';
  const low =
    from === undefined || from <= Number.MIN_SAFE_INTEGER ? '' : `${exclusiveMinimum !== undefined && minimum === undefined ? 'more than ' : ''}${from}`;
  return isEndless ? (low === '' ? '' : ` from ${low}`) : ` ${low}–${maximum}`;
}

function idleSection(): string {
  const rows = NOT_ACTED_ON.map(({ path, instead }) => `| \`${path.replaceAll('.*', '.<…>')}\` | ${cell(instead)} |`);
  const intro = 'These settings are checked and kept, and nothing acts on them in this version; validation warns of each one that is set.';
  return ['## Accepted, not acted on yet', intro, ['| setting | instead |', '|---|---|', ...rows].join('\n')].join('\n\n');
}

function reloadSection(): string {
  const rows = RELOAD_RULES.map(
    ({ prefix, kind, owners, actions, why }) => `| \`${prefix}\` | ${kind} | ${owners.join(', ')} | ${actions.join(', ')} | ${cell(why)} |`,
  );
  const intro = 'The rule with the longest prefix decides. A path without a rule means a restart of the service that meets it.';
  return ['## What a change does', intro, ['| path | effect | services | what they do | why |', '|---|---|---|---|---|', ...rows].join('\n')].join('\n\n');
}

function toolSection(): string {
  const groups = [...TOOL_GROUPS].map(([name, tools]) => `| \`${name}\` | ${tools.join(', ')} |`);
  const profiles = Object.entries(TOOL_PROFILES).map(([name, tools]) => `| \`${name}\` | ${tools.join(', ') || 'everything'} |`);
  return ['## Names of tools', ['| group | tools |', '|---|---|', ...groups].join('\n'), ['| profile | allows |', '|---|---|', ...profiles].join('\n')].join(
    '\n\n',
  );
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
