import type { Contract, RpcContract } from '../define.js';
import { ERROR_CODES } from '../error-codes.js';
import { CONTRACTS } from '../registry.js';
import { ROLES } from '../roles.js';
import { BUCKETS, CONSUMERS, STREAMS } from '../topology.js';
import { type JsonSchema, payloadSchema } from './json-schema.js';

const HEADER = '<!-- Generated from libs/contracts by `npm run generate`; do not edit. -->\n\n';

const KIND_TITLES: Record<string, string> = {
  rpc: 'Questions',
  cmd: 'Commands',
  evt: 'Events',
  rt: 'Live frames',
  in: 'Foreign events',
  log: 'Log',
  dlq: 'Parked',
};

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function typeName(schema: JsonSchema): string {
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => `\`${String(value)}\``).join(' ');
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.type === 'array') return `list of ${typeName((schema.items ?? {}) as JsonSchema)}`;
  if (Array.isArray(schema.anyOf)) return (schema.anyOf as JsonSchema[]).map(typeName).join(' or ');
  return typeof schema.type === 'string' ? schema.type : 'any';
}

function limits(schema: JsonSchema): string {
  const parts: string[] = [];
  const range = (low: string, high: string, unit: string): void => {
    if (schema[low] !== undefined || schema[high] !== undefined) parts.push(`${String(schema[low] ?? '')}…${String(schema[high] ?? '')}${unit}`);
  };
  range('minLength', 'maxLength', ' characters');
  range('minItems', 'maxItems', ' items');
  if (!(schema.type === 'integer' && schema.maximum === Number.MAX_SAFE_INTEGER && schema.minimum === Number.MIN_SAFE_INTEGER)) {
    const maximum = schema.maximum === Number.MAX_SAFE_INTEGER ? undefined : schema.maximum;
    if (schema.minimum !== undefined || maximum !== undefined) parts.push(`${String(schema.minimum ?? '')}…${String(maximum ?? '')}`);
  }
  if (schema.default !== undefined) parts.push(`default \`${JSON.stringify(schema.default)}\``);
  return parts.join(', ');
}

function fields(schema: JsonSchema): string {
  const properties = Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>);
  if (properties.length === 0) return '_Empty object._\n';
  const required = new Set((schema.required ?? []) as string[]);
  const rows = properties.map(([name, property]) => {
    const notes = [limits(property), property.description as string | undefined].filter((part) => part !== undefined && part !== '').join('. ');
    return `| \`${name}\` | ${escapeCell(typeName(property))} | ${required.has(name) ? 'yes' : ''} | ${escapeCell(notes)} |`;
  });
  return ['| field | type | required | notes |', '|---|---|---|---|', ...rows, ''].join('\n');
}

function contractSection(contract: Contract): string {
  const lines = [
    `#### \`${contract.domain}.${contract.name}.v${contract.version}\``,
    '',
    contract.summary,
    '',
    `Subject: \`${contract.pattern('<tenant>').replace('.>', `.<${contract.key.join('>.<')}>`)}\``,
    '',
  ];
  lines.push(fields(payloadSchema(contract.data)));
  if (contract.kind === 'rpc') {
    const rpc = contract as RpcContract;
    lines.push('Answer:', '', fields(payloadSchema(rpc.response)));
    const codes = rpc.errors.map((code) => `\`${code}\``).join(', ');
    lines.push(
      `Time limit ${rpc.timeoutMs} ms · ${rpc.idempotent ? 'may be repeated after a timeout' : 'not idempotent'}${codes === '' ? '' : ` · errors: ${codes}`}`,
      '',
    );
  }
  lines.push('```json', JSON.stringify(contract.examples[0], null, 2), '```', '');
  return lines.join('\n');
}

/** `docs/reference/contracts.md`: every contract with its fields and an example. */
export function contractsPage(): string {
  const domains = [...new Set(CONTRACTS.map((contract) => contract.domain))].sort();
  const body = domains.map((domain) => {
    const own = CONTRACTS.filter((contract) => contract.domain === domain);
    const kinds = [...new Set(own.map((contract) => contract.kind))];
    const parts = kinds.map(
      (kind) =>
        `### ${KIND_TITLES[kind]}: ${domain}\n\n${own
          .filter((contract) => contract.kind === kind)
          .map(contractSection)
          .join('\n')}`,
    );
    return `## ${domain}\n\n${parts.join('\n')}`;
  });
  return `${HEADER}# Contracts\n\nStored messages (\`in\`, \`evt\`, \`cmd\`) are CloudEvents 1.0 in structured JSON mode whose \`data\` is described here; questions and live frames are the bare JSON.\n\n${body.join('\n')}`;
}

/** `docs/reference/errors.md`: the table of stable error codes. */
export function errorsPage(): string {
  const rows = Object.entries(ERROR_CODES).map(
    ([code, entry]) => `| \`${code}\` | ${entry.status} | ${entry.retryable ? 'yes' : 'no'} | ${escapeCell(entry.sentence)} |`,
  );
  return `${HEADER}# Error codes\n\nCodes are stable: never renamed, never reused. *Retry* says whether the same call may succeed later without a change.\n\n${['| code | HTTP | retry | meaning |', '|---|---|---|---|', ...rows].join('\n')}\n`;
}

const age = (milliseconds: number): string => {
  if (milliseconds === 0) return 'for ever';
  const days = milliseconds / 86_400_000;
  return days >= 1 ? `${days} d` : `${milliseconds / 1_000} s`;
};

/** `docs/reference/topology.md`: streams, consumers, buckets and roles. */
export function topologyPage(): string {
  const streams = STREAMS.map(
    (s) => `| \`${s.name}\` | ${s.subjects.map((subject) => `\`${escapeCell(subject)}\``).join(' ')} | ${s.retention} | ${age(s.maxAgeMs)} | ${s.summary} |`,
  );
  const consumers = Object.values(CONSUMERS).map(
    (c) =>
      `| \`${c.name}\` | \`${c.stream}\` | \`${escapeCell(c.filter)}\` | ${c.ackWaitMs / 1_000} s | ${c.maxDeliver < 0 ? 'for ever' : c.maxDeliver} | ${c.summary} |`,
  );
  const buckets = Object.values(BUCKETS).map((b) => `| \`${b.name}\` | ${age(b.ttlMs)} | ${b.summary} |`);
  const roles = ROLES.map(
    (r) =>
      `| \`${r.name}\` | ${r.serves.length} | ${r.calls.length} | ${r.publishes.map((c) => `\`${c.domain}.${c.name}\``).join(' ')} | ${r.consumes.map((c) => `\`${c.name}\``).join(' ')} |`,
  );
  return `${HEADER}# Streams, consumers, buckets, roles

Applied by \`plexus nats apply\`, read back and checked by every service at start-up.

## Streams

${['| stream | subjects | retention | kept | purpose |', '|---|---|---|---|---|', ...streams].join('\n')}

## Consumers

${['| consumer | stream | filter | ack wait | deliveries | purpose |', '|---|---|---|---|---|---|', ...consumers].join('\n')}

## Buckets

${['| bucket | entries kept | purpose |', '|---|---|---|', ...buckets].join('\n')}

## Roles

Permissions are printed to \`proto/nats/\`.

${['| role | answers | calls | publishes | consumes |', '|---|---|---|---|---|', ...roles].join('\n')}
`;
}
