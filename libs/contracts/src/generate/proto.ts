import type { Contract, RpcContract } from '../define.js';
import { CONTRACTS } from '../registry.js';
import { type JsonSchema, payloadSchema } from './json-schema.js';

/** Field numbers of every message ever released. A number is never reused: removed fields become `reserved`. */
export type FieldNumbers = Record<string, Record<string, number>>;

interface Field {
  readonly jsonName: string;
  readonly type: string;
  readonly label: '' | 'repeated ' | 'optional ';
  readonly comment: string;
}

interface Message {
  readonly name: string;
  readonly fields: Field[];
  readonly nested: Message[];
}

const pascal = (text: string): string => text.replace(/(^|[-_ ])([a-z0-9])/gi, (_match, _separator, letter: string) => letter.toUpperCase());
const snake = (text: string): string =>
  text
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toLowerCase();
const camel = (text: string): string => text.replace(/_([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());

const STRUCT = 'google.protobuf.Struct';
const VALUE = 'google.protobuf.Value';

function isObject(schema: JsonSchema): boolean {
  return schema.type === 'object' && typeof schema.properties === 'object' && Object.keys(schema.properties as object).length > 0;
}

/** Maps one JSON Schema to a proto type; object types become messages nested in `parent`. */
function protoType(schema: JsonSchema, name: string, parent: Message): { type: string; repeated: boolean; comment: string } {
  const plain = (type: string, comment = ''): { type: string; repeated: boolean; comment: string } => ({ type, repeated: false, comment });
  if (Array.isArray(schema.enum)) return plain('string', `One of: ${schema.enum.join(', ')}.`);
  switch (schema.type) {
    case 'string':
      return plain('string');
    case 'integer':
      return plain('int64');
    case 'number':
      return plain('double');
    case 'boolean':
      return plain('bool');
    case 'array': {
      const item = protoType((schema.items ?? {}) as JsonSchema, name, parent);
      return item.repeated ? plain('google.protobuf.ListValue') : { ...item, repeated: true };
    }
    case 'object': {
      // An open object (a frame, metadata) keeps keys that we do not know: only a Struct can mirror it.
      if (!isObject(schema) || (schema.additionalProperties !== undefined && schema.additionalProperties !== false)) return plain(STRUCT);
      parent.nested.push(message(pascal(name), schema));
      return plain(pascal(name));
    }
    default:
      return plain(VALUE);
  }
}

function message(name: string, schema: JsonSchema): Message {
  const result: Message = { name, fields: [], nested: [] };
  const required = new Set((schema.required ?? []) as string[]);
  for (const [jsonName, property] of Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>)) {
    const { type, repeated, comment } = protoType(property, jsonName, result);
    const scalar = /^(string|int64|double|bool)$/.test(type);
    const label = repeated ? 'repeated ' : scalar && !required.has(jsonName) ? 'optional ' : '';
    result.fields.push({ jsonName, type, label, comment: [property.description, comment].filter(Boolean).join(' ') });
  }
  return result;
}

function render(message_: Message, path: string, numbers: FieldNumbers, indent = ''): string[] {
  const known = { ...(numbers[path] ?? {}) };
  let next = Math.max(0, ...Object.values(known)) + 1;
  const lines = [`${indent}message ${message_.name} {`];
  for (const nested of message_.nested) lines.push(...render(nested, `${path}.${nested.name}`, numbers, `${indent}  `));
  const present = new Set<string>();
  for (const field of message_.fields) {
    const name = snake(field.jsonName);
    present.add(name);
    known[name] ??= next++;
    if (field.comment !== '') lines.push(`${indent}  // ${field.comment.replaceAll('\n', ' ')}`);
    const jsonName = camel(name) === field.jsonName ? '' : ` [json_name = "${field.jsonName}"]`;
    lines.push(`${indent}  ${field.label}${field.type} ${name} = ${known[name]}${jsonName};`);
  }
  const gone = Object.entries(known).filter(([name]) => !present.has(name));
  if (gone.length > 0) {
    lines.push(`${indent}  reserved ${gone.map(([, number]) => number).join(', ')};`, `${indent}  reserved ${gone.map(([name]) => `"${name}"`).join(', ')};`);
  }
  lines.push(`${indent}}`);
  numbers[path] = known;
  return lines;
}

/** Message names, by the rules that `buf lint` checks: questions are `<Name>Request` and `<Name>Response`. */
function messagesOf(contract: Contract): Message[] {
  const name = pascal(contract.name);
  if (contract.kind !== 'rpc')
    return [
      message(
        `${name}${{ evt: 'Event', cmd: 'Command', rt: 'Frame', in: 'Inbound', log: 'Entry', dlq: 'Parked' }[contract.kind]}`,
        payloadSchema(contract.data),
      ),
    ];
  return [message(`${name}Request`, payloadSchema(contract.data)), message(`${name}Response`, payloadSchema((contract as RpcContract).response))];
}

/** One file per domain and version. `numbers` is read and extended; write it back beside the files. */
export function protoFiles(numbers: FieldNumbers): { path: string; content: string }[] {
  const packages = new Map<string, Contract[]>();
  for (const contract of CONTRACTS) {
    const name = `${snake(contract.domain)}/v${contract.version}`;
    packages.set(name, [...(packages.get(name) ?? []), contract]);
  }
  return [...packages].map(([name, contracts]) => {
    const [domain, version] = name.split('/') as [string, string];
    const packageName = `plexus.${domain}.${version}`;
    const bodies: string[] = [];
    const rpcs = contracts.filter((contract) => contract.kind === 'rpc');
    if (rpcs.length > 0) {
      bodies.push(`// Questions on plexus.rpc.<tenant>.${domain}.<name>.${version}.`, `service ${pascal(domain)}Service {`);
      for (const rpc of rpcs) {
        bodies.push(`  // ${rpc.summary}`, `  rpc ${pascal(rpc.name)}(${pascal(rpc.name)}Request) returns (${pascal(rpc.name)}Response);`);
      }
      bodies.push('}', '');
    }
    for (const contract of contracts) {
      bodies.push(`// ${contract.summary}`);
      for (const item of messagesOf(contract)) bodies.push(...render(item, `${packageName}.${item.name}`, numbers), '');
    }
    const text = bodies.join('\n');
    const imports = text.includes('google.protobuf.') ? 'import "google/protobuf/struct.proto";\n\n' : '';
    return {
      path: `proto/plexus/${domain}/${version}/${domain}.proto`,
      content: `// Generated from libs/contracts; do not edit. On the wire these are JSON (proto3 JSON mapping).\nsyntax = "proto3";\n\npackage ${packageName};\n\n${imports}${text.trimEnd()}\n`,
    };
  });
}
