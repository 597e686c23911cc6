/** As much of JSON Schema as our documents use. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly format?: string;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly $ref?: string;
}

/** What fields of a name are filled with: identifiers of somebody else. */
export type Pool = Readonly<Record<string, unknown>>;

/** An input that fits a schema, with every field whose name is in the pool filled from there, also where it is optional. */
export function fill(schema: JsonSchema, pool: Pool, definitions: Readonly<Record<string, JsonSchema>> = {}, name = ''): unknown {
  if (schema.$ref !== undefined) return fill(definitions[schema.$ref.split('/').at(-1) as string] ?? {}, pool, definitions, name);
  if (name in pool && fits(schema, pool[name])) return pool[name];
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return schema.enum[0];
  const [choice] = schema.anyOf ?? schema.oneOf ?? [];
  if (choice !== undefined) return fill(choice, pool, definitions, name);
  if (schema.allOf !== undefined) return Object.assign({}, ...schema.allOf.map((part) => fill(part, pool, definitions, name)));
  switch (schema.type) {
    case 'object':
      return object(schema, pool, definitions);
    case 'array':
      return (schema.minItems ?? 0) > 0 || name in pool ? [fill(schema.items ?? {}, pool, definitions, name)] : [];
    case 'string':
      return schema.format === 'date-time' ? new Date().toISOString() : 'x'.repeat(Math.max(1, schema.minLength ?? 1));
    case 'number':
    case 'integer':
      return Math.max(1, schema.minimum ?? 1);
    case 'boolean':
      return false;
    default:
      return {};
  }
}

function object({ properties = {}, required = [] }: JsonSchema, pool: Pool, definitions: Readonly<Record<string, JsonSchema>>): unknown {
  const wanted = Object.entries(properties).filter(([name, schema]) => required.includes(name) || (name in pool && fits(schema, pool[name])));
  return Object.fromEntries(wanted.map(([name, schema]) => [name, fill(schema, pool, definitions, name)]));
}

function fits(schema: JsonSchema, value: unknown): boolean {
  if (schema.const !== undefined) return schema.const === value;
  if (schema.enum !== undefined) return schema.enum.includes(value);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return choices.some((choice) => fits(choice, value));
  const kind = Array.isArray(value) ? 'array' : typeof value;
  return schema.type === kind || (schema.type === 'integer' && kind === 'number') || (schema.type === undefined && schema.$ref === undefined);
}

/** An example with every scalar whose name is in the pool replaced, at any depth. */
export function overlay(example: unknown, pool: Pool, name = ''): unknown {
  if (Array.isArray(example)) return example.map((one) => overlay(one, pool, name));
  if (typeof example === 'object' && example !== null)
    return Object.fromEntries(Object.entries(example).map(([key, value]) => [key, overlay(value, pool, key)]));
  return name in pool && typeof pool[name] === typeof example ? pool[name] : example;
}
