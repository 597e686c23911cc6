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
/** Labels or annotations. */
export const pairs = (description: string): Schema => ({ type: 'object', description, additionalProperties: { type: 'string' } });
/** A number, or a text like 25%. */
export const share = (description: string): Schema => ({ type: ['integer', 'string'], description, pattern: '^[0-9]+%$', minimum: 0 });
