import { z } from 'zod';
import { CloudEvent } from '../cloud-event.js';
import type { Contract } from '../define.js';

export type JsonSchema = { [key: string]: unknown };

const strip = (schema: JsonSchema): JsonSchema => {
  const { $schema: _ignored, ...rest } = schema;
  return rest;
};

/** JSON Schema (draft 7, what AsyncAPI understands without a plugin) of a payload as a publisher writes it. */
export function payloadSchema(schema: z.ZodType, io: 'input' | 'output' = 'input'): JsonSchema {
  return strip(z.toJSONSchema(schema, { target: 'draft-7', io, unrepresentable: 'any' }) as JsonSchema);
}

/** What is on the wire for one contract: the CloudEvent with its typed data for stored kinds, the bare payload otherwise. */
export function wireSchema(contract: Contract): JsonSchema {
  if (contract.kind === 'rpc' || contract.kind === 'rt') return payloadSchema(contract.data);
  const envelope = payloadSchema(CloudEvent);
  const properties = { ...(envelope.properties as JsonSchema), type: { type: 'string', const: contract.type }, data: payloadSchema(contract.data) };
  return { ...envelope, properties, required: [...(envelope.required as string[]), 'data'] };
}

/** The published schema files: `proto/jsonschema/<domain>/<kind>.<name>.v<N>.json`. */
export function jsonSchemaFile(contract: Contract): { path: string; content: string } {
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: `https://plexus.dev/schemas/${contract.domain}/${contract.kind}.${contract.name}.v${contract.version}.json`,
    title: `${contract.kind} ${contract.domain}.${contract.name}.v${contract.version}`,
    description: contract.summary,
    ...payloadSchema(contract.data),
    examples: contract.examples,
  };
  return {
    path: `proto/jsonschema/${contract.domain}/${contract.kind}.${contract.name}.v${contract.version}.json`,
    content: `${JSON.stringify(schema, null, 2)}\n`,
  };
}
