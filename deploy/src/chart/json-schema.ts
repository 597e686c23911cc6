/** The subset of JSON Schema that the chart's values are described with. */
export interface Schema {
  readonly [keyword: string]: unknown;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
}

type Properties = Readonly<Record<string, Schema>>;

/** An object that knows exactly these keys. */
export const strict = (description: string, properties: Properties, more: Schema = {}): Schema => ({
  type: 'object',
  description,
  additionalProperties: false,
  properties,
  ...more,
});

/** Handed to Kubernetes as it is: what it may hold is Kubernetes' business. */
export const passthrough = (description: string, more: Schema = {}): Schema => ({ type: 'object', description, ...more });
export const passthroughs = (description: string): Schema => ({ type: 'array', description, items: { type: 'object' } });

export const text = (description: string, more: Schema = {}): Schema => ({ type: 'string', description, ...more });
export const texts = (description: string): Schema => ({ type: 'array', description, items: { type: 'string', minLength: 1 } });
export const flag = (description: string): Schema => ({ type: 'boolean', description });
export const whole = (description: string, minimum: number, maximum?: number): Schema => ({
  type: 'integer',
  description,
  minimum,
  ...(maximum !== undefined && { maximum }),
});
export const oneOf = (description: string, choices: readonly string[]): Schema => ({ enum: choices, description });
/** Annotations, and labels that are looked for. */
export const pairs = (description: string): Schema => ({ type: 'object', description, additionalProperties: { type: 'string' } });
/** Labels of ours: those by which the chart finds its own objects are not among them. */
export const labels = (description: string): Schema => ({
  type: 'object',
  description,
  propertyNames: { not: { pattern: '^(app\\.kubernetes\\.io|helm\\.sh)/' } },
  additionalProperties: { type: 'string', pattern: '^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$', maxLength: 63 },
});
/** Name of an object, or nothing. */
export const name = (description: string, maxLength = 253): Schema => text(description, { pattern: '^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$', maxLength });
/** Key in a Secret. */
export const key = (description: string): Schema => text(description, { pattern: '^[-._A-Za-z0-9]+$', maxLength: 253 });
export const optionalKey = (description: string): Schema => text(description, { pattern: '^[-._A-Za-z0-9]*$', maxLength: 253 });
/** Amount of storage, as Kubernetes writes it. */
export const quantity = (description: string): Schema => text(description, { pattern: '^[0-9]+(\\.[0-9]+)?([kMGT]|[KMGT]i)?$' });
/** Host name, also with a wildcard in front. */
export const hosts = (description: string): Schema => ({
  type: 'array',
  description,
  items: { type: 'string', pattern: '^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$', maxLength: 253 },
});
/** A number, or a text like 25%; never none at all. */
export const share = (description: string): Schema => ({ type: ['integer', 'string'], description, pattern: '^[1-9][0-9]*%$', minimum: 1 });
