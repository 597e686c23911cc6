import { CLIENT_CLOSES, EVENTS, METHODS, scopeOfEvent, TERMINAL_DETAILS } from '@plexus/client-protocol';
import { ERROR_CODES, plexusError } from '@plexus/contracts';
import { CLOSE_CODES as VM_CLOSES } from '@plexus/vm-protocol';
import { z } from 'zod';
import { API } from '../../src/adapters/http/http-api.js';
import { takesKey } from '../../src/adapters/http/openapi/document.js';
import { routesOf } from '../../src/adapters/http/openapi/routes.js';
import { gatewayConfig } from '../../src/config.js';
import { clientError } from '../../src/domain/client-error.js';
import { REFUSALS, type Refusal } from '../../src/domain/refusal.js';

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n');
const code = (text: string): string => `\`${text}\``;
const short = (scope: string | undefined): string => (scope === undefined ? 'any' : scope.replace(/^operator\./, ''));

function parametersOf(schema: z.ZodType): string {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as {
    properties?: Record<string, unknown>;
    required?: readonly string[];
  };
  return Object.keys(properties)
    .map((name) => code(`${name}${required.includes(name) ? '' : '?'}`))
    .join(' ');
}

/** Every method that is answered, as it is registered. */
function methods(): string {
  const rows = Object.entries(METHODS).map(([name, { scope, role, params }]) => [
    code(name),
    role === 'node' ? 'role node' : short(scope),
    parametersOf(params),
  ]);
  return table(
    ['method', 'scope', 'parameters'],
    rows.sort(([a], [b]) => (a as string).localeCompare(b as string, 'en')),
  );
}

function events(): string {
  const receivers = (event: string): string => {
    if (event === 'connect.challenge') return 'everybody, before anything else';
    return event.startsWith('node.invoke.') ? 'the node that is meant' : short(scopeOfEvent(event));
  };
  return table(
    ['event', 'goes to (scope)'],
    EVENTS.map((event) => [code(event), receivers(event)]),
  );
}

/** Every route under /v1 by what it is about. */
function routes(): string {
  const groups = new Map<string, string[]>();
  for (const { method, path, tag, description } of routesOf([...API])) {
    const key = takesKey(method, description ?? {}) ? ' ᴷ' : '';
    const line = `${code(`${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`)} ${short(description?.scope)}${key}`;
    groups.set(tag, [...(groups.get(tag) ?? []), line]);
  }
  return table(
    ['about', 'routes with the scope that they need; ᴷ: takes an Idempotency-Key'],
    [...groups].sort(([a], [b]) => a.localeCompare(b, 'en')).map(([tag, lines]) => [tag, lines.join(' · ')]),
  );
}

function clientCloses(): string {
  return table(
    ['code', 'reason', 'when', 'come back?'],
    CLIENT_CLOSES.map(({ code: number, reason, when, reconnect, advice }) => [
      String(number),
      reason === undefined ? '' : reason === '' ? 'empty' : code(reason),
      when,
      `${reconnect}${advice === undefined ? '' : `, ${advice}`}`,
    ]),
  );
}

function vmCloses(): string {
  const words = { 'at-once': 'at once, to any gateway', backoff: 'yes, with pauses', never: 'no' } as const;
  return table(
    ['code', 'reason', 'when', 'come back?'],
    Object.values(VM_CLOSES).map(({ code: number, reason, when, reconnect }) => [String(number), code(reason), when, words[reconnect]]),
  );
}

/** Every way in which a connect is refused. */
function refusals(): string {
  const made = Object.entries(REFUSALS).flatMap(([, value]): Refusal[] => {
    if (typeof value !== 'function') return [value];
    return value === REFUSALS.tooManyConnections
      ? [REFUSALS.tooManyConnections('user')]
      : [(value as (a: never, b: never) => Refusal)(...(SAMPLES.get(value) as [never, never]))];
  });
  return table(
    ['`error.code`', '`details.code`', 'message', 'close', 'come back?'],
    made.map(({ error, closeCode }) => {
      const { code: detail, authReason } = (error.details ?? {}) as { code?: string; authReason?: string };
      const again = detail !== undefined && TERMINAL_DETAILS.has(detail) ? 'no' : error.retryAfterMs === undefined ? 'yes' : 'yes, after `retryAfterMs`';
      return [code(error.code), detail === undefined ? '' : `${code(detail)}${authReason ? ` (${authReason})` : ''}`, error.message, String(closeCode), again];
    }),
  );
}
const SAMPLES = new Map<unknown, readonly unknown[]>([
  [REFUSALS.invalidFrame, ['…']],
  [REFUSALS.invalidConnect, ['…']],
  [REFUSALS.protocolMismatch, [5, 6]],
  [REFUSALS.rateLimited, [300_000]],
]);

/** Every error code of the mesh in the words of both protocols. */
function errors(): string {
  return table(
    ['`details.code` / problem `code`', '`error.code`', 'HTTP', 'try again?', ''],
    Object.entries(ERROR_CODES).map(([name, { status, sentence }]) => {
      const { code: outer } = clientError(plexusError(name as keyof typeof ERROR_CODES));
      return [code(name), code(outer), String(status), ERROR_CODES[name as keyof typeof ERROR_CODES].retryable ? 'yes' : 'no', sentence];
    }),
  );
}

function settings(): string {
  const { properties } = z.toJSONSchema(gatewayConfig, { io: 'input', unrepresentable: 'any' }) as unknown as {
    properties: Record<string, { description?: string; default?: unknown }>;
  };
  const shown = (value: unknown): string => {
    if (value === undefined || value === '' || (Array.isArray(value) && value.length === 0)) return 'none';
    return typeof value === 'number' ? value.toLocaleString('en').replaceAll(',', ' ') : code(String(value));
  };
  return table(
    ['name', 'default', ''],
    Object.entries(properties).map(([name, { description = '', default: value }]) => [code(name), shown(value), description]),
  );
}

/** What stands between the markers `<!-- <name> -->` and `<!-- /<name> -->` of the README. */
export const README_TABLES: Readonly<Record<string, () => string>> = {
  methods,
  events,
  routes,
  'client-closes': clientCloses,
  'vm-closes': vmCloses,
  refusals,
  errors,
  settings,
};

/** The text with every table as it is made now. Throws when one has no place. */
export function withTables(text: string): string {
  let written = text;
  for (const [name, make] of Object.entries(README_TABLES)) {
    const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const [from, to] = [written.indexOf(begin), written.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`no place for ${name}: ${begin} … ${end}`);
    written = `${written.slice(0, from + begin.length)}\n${make()}\n${written.slice(to)}`;
  }
  return written;
}
