import { API } from '../../src/adapters/http/http-api.js';
import { openApiDocument } from '../../src/adapters/http/openapi/document.js';
import { routesOf } from '../../src/adapters/http/openapi/routes.js';
import { README_TABLES } from './readme-tables.js';

interface Schema {
  readonly $ref?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}
interface Parameter {
  readonly $ref?: string;
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
}
interface Operation {
  readonly tags: readonly string[];
  readonly summary: string;
  readonly security: readonly { readonly bearer?: readonly string[] }[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}
interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const GENERATED = '<!-- Generated from services/gateway by `UPDATE_README=1` and its readme.spec.ts; do not edit. -->';
const code = (text: string): string => `\`${text}\``;
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** Names of an object's fields; those that may be left out end in `?`. */
function fields(schema: Schema, { components }: OpenApi): string[] {
  if (schema.$ref !== undefined) return fields(components.schemas[schema.$ref.split('/').pop() ?? ''] ?? {}, { components } as OpenApi);
  const several = schema.anyOf ?? schema.oneOf;
  if (several !== undefined) return [...new Set(several.flatMap((one) => fields(one, { components } as OpenApi)))];
  return Object.keys(schema.properties ?? {}).map((name) => `${name}${schema.required?.includes(name) ? '' : '?'}`);
}

function takes({ parameters = [], requestBody }: Operation, document: OpenApi): string {
  const query = parameters.filter((one) => one.in === 'query').map(({ name, required }) => `${name}${required ? '' : '?'}`);
  const body = Object.entries(requestBody?.content ?? {}).flatMap(([type, { schema }]) =>
    type === 'application/json' ? [`body: ${fields(schema, document).map(code).join(' ') || 'an object'}`] : [`or ${code(type)}`],
  );
  return [...(query.length > 0 ? [`query: ${query.map(code).join(' ')}`] : []), ...body].join('; ');
}

function answers({ responses }: Operation): string {
  const [status = '', { content = {} } = {}] = Object.entries(responses).find(([number]) => number.startsWith('2')) ?? [];
  const type = Object.keys(content)[0] ?? 'application/json';
  return type === 'application/json' ? status : `${status}, ${code(type)}`;
}

/** docs/reference/http.md: the OpenAPI document for people. */
export function httpPage(): string {
  const document = openApiDocument(routesOf([...API]), '1') as unknown as OpenApi;
  const groups = new Map<string, string[]>();
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const [tag = ''] = operation.tags;
      const scope = operation.security.length === 0 ? 'no token' : (operation.security[0]?.bearer?.[0] ?? 'any token');
      const key = operation.parameters?.some(({ $ref }) => $ref?.endsWith('/IdempotencyKey')) ? ' ᴷ' : '';
      const row = [`${code(`${method.toUpperCase()} ${path}`)}${key}`, scope, operation.summary, takes(operation, document), answers(operation)];
      groups.set(tag, [...(groups.get(tag) ?? []), `| ${row.map(cell).join(' | ')} |`]);
    }
  }
  const sections = [...groups]
    .sort(([a], [b]) => a.localeCompare(b, 'en'))
    .map(([tag, rows]) => `## ${tag}\n\n| route | scope | what | takes | answers |\n|---|---|---|---|---|\n${rows.join('\n')}\n`);
  return `# HTTP

${GENERATED}

The gateway's public API. \`GET /v1/openapi.json\` on a running gateway is the same as OpenAPI 3.1, with every schema. Send \`authorization: Bearer <token>\`; whose data it is
comes from the token, never from the request. ᴷ: takes an \`Idempotency-Key\`; the same key again has no second effect. Names with \`?\` may be left out; unknown fields are ignored.
Errors are \`application/problem+json\` with a stable \`code\`: [errors](errors.md).

${sections.join('\n')}`;
}

/** docs/reference/close-codes.md */
export function closeCodesPage(): string {
  const table = (name: string): string => (README_TABLES[name] as () => string)();
  return `# Close codes

${GENERATED}

A WebSocket ends with a number. What it means, and whether to come back. A close that is not listed (1001, 1006, …) is a lost connection: come back with pauses.

## Clients

The OpenClaw protocol, on every path but \`/ws/vm\`.

${table('client-closes')}

### A refused connect

The response before the close says why.

${table('refusals')}

## VMs

The VM protocol, on \`/ws/vm\`.

${table('vm-closes')}
`;
}

/** Pages of the reference that are made of what this service declares. */
export const REFERENCE_PAGES: Readonly<Record<string, () => string>> = { 'http.md': httpPage, 'close-codes.md': closeCodesPage };
