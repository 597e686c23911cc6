import { z } from 'zod';

export type Json = { [key: string]: unknown };

/** Turns zod schemas into those of an OpenAPI document; what refers to itself becomes a component. */
export class SchemaBook {
  readonly components: Record<string, Json> = {};

  /** As a caller writes it. */
  input(schema: z.ZodType, name: string): Json {
    return this.placed(z.toJSONSchema(schema, { target: 'draft-2020-12', io: 'input', unrepresentable: 'any' }) as Json, name);
  }

  /** As it is answered. Answers may have more than the document knows. */
  output(schema: z.ZodType, name: string): Json {
    const open = ({ jsonSchema }: { jsonSchema: Json }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    };
    return this.placed(z.toJSONSchema(schema, { target: 'draft-2020-12', io: 'output', unrepresentable: 'any', override: open as never }) as Json, name);
  }

  /** The properties of a query, each with its schema: what is meant (a number), or where that cannot be said what is written (a text). */
  query(schema: z.ZodType, name: string): { readonly name: string; readonly required: boolean; readonly schema: Json }[] {
    const written = this.input(schema, name);
    const meant = this.output(schema, name);
    const required = (written.required ?? []) as string[];
    const meanings = (meant.properties ?? {}) as Record<string, Json>;
    return Object.entries((written.properties ?? {}) as Record<string, Json>).map(([property, asText]) => {
      const { [property]: meaning = {} } = meanings;
      return { name: property, required: required.includes(property), schema: Object.keys(meaning).length === 0 ? asText : meaning };
    });
  }

  /** Local definitions become components, and references to them follow. */
  private placed({ $schema: _ignored, $defs, ...schema }: Json, name: string): Json {
    const definitions = ($defs ?? {}) as Record<string, Json>;
    const isRecursive = JSON.stringify(schema).includes('"$ref":"#"') || JSON.stringify(definitions).includes('"$ref":"#"');
    const nameOf = (local: string) => `${name}.${local.replace(/[^\w.-]/g, '')}`;
    const resolve = (reference: string) =>
      reference === '#'
        ? `#/components/schemas/${name}`
        : reference.replace(/^#\/\$defs\/(.+)$/, (_all, local: string) => `#/components/schemas/${nameOf(local)}`);
    for (const [local, definition] of Object.entries(definitions)) this.components[nameOf(local)] = redirected(definition, resolve);
    const own = redirected(schema, resolve);
    if (!isRecursive) return own;
    this.components[name] = own;
    return { $ref: `#/components/schemas/${name}` };
  }
}

function redirected<T>(value: T, resolve: (reference: string) => string): T {
  if (Array.isArray(value)) return value.map((item) => redirected(item, resolve)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, key === '$ref' && typeof item === 'string' ? resolve(item) : redirected(item, resolve)]),
  ) as T;
}
