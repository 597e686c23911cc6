import type { CustomValidator, ErrorSchema, ErrorTransformer, RJSFSchema, RJSFValidationError, UiSchema, ValidationData, ValidatorType } from '@rjsf/utils';
import { z } from 'zod';

type Data = Record<string, unknown>;

/**
 * Checks forms against their schema without compiling code: the validator that comes with the form library makes functions from text, which the
 * content security policy forbids.
 */
export const schemaValidator: ValidatorType<Data> = {
  isValid: (schema, data) => problemsOf(schema, data).length === 0,
  rawValidation: <Result = unknown>(schema: RJSFSchema, data?: Data) => ({ errors: problemsOf(schema, data) as Result[] }),
  validateFormData(
    data: Data | undefined,
    schema: RJSFSchema,
    _custom?: CustomValidator<Data>,
    transform?: ErrorTransformer<Data>,
    uiSchema?: UiSchema<Data>,
  ): ValidationData<Data> {
    const problems = problemsOf(schema, data);
    const errors = transform === undefined ? problems : transform(problems, uiSchema);
    return { errors, errorSchema: errorTree(errors) };
  },
};

const compiled = new WeakMap<object, z.ZodType | undefined>();

/** Undefined for a schema that cannot be read: the service that gets the data has the last word anyway. */
function schemaOf(schema: RJSFSchema): z.ZodType | undefined {
  if (compiled.has(schema)) return compiled.get(schema);
  let made: z.ZodType | undefined;
  try {
    made = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]) as z.ZodType;
  } catch {
    // Keywords that are not known.
    made = undefined;
  }
  compiled.set(schema, made);
  return made;
}

function problemsOf(schema: RJSFSchema, data: unknown): RJSFValidationError[] {
  const result = schemaOf(schema)?.safeParse(data);
  if (result === undefined || result.success) return [];
  return result.error.issues.map(({ path, message, code }) => {
    const property = `.${path.map(String).join('.')}`;
    return { name: code, property, message, stack: `${property} ${message}` };
  });
}

/** Messages at the fields that they are about. */
export function errorTree(errors: readonly RJSFValidationError[]): ErrorSchema<Data> {
  const root: Record<string, unknown> = {};
  for (const { property = '', message = '' } of errors) {
    let place = root;
    for (const part of property.split('.').filter((one) => one !== '')) {
      place[part] ??= {};
      place = place[part] as Record<string, unknown>;
    }
    place.__errors = [...((place.__errors as string[] | undefined) ?? []), message];
  }
  return root as ErrorSchema<Data>;
}
