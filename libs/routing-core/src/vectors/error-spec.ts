/** How vectors write down something that is thrown. */
export interface ErrorSpec {
  readonly type: string;
  readonly errName?: string;
  readonly message?: unknown;
  readonly value?: unknown;
  readonly cause?: ErrorSpec;
  readonly reason?: ErrorSpec;
  readonly errors?: readonly ErrorSpec[];
  readonly [field: string]: unknown;
}

const CLASSES: Readonly<Record<string, new (message?: string) => Error>> = { Error, TypeError, RangeError };

/** Builds what a specification describes: an error, a plain object, a primitive, an aggregate, or an error that is its own cause. */
export function buildError(spec: ErrorSpec | null): unknown {
  if (spec === null) return null;
  const { type, errName, message, value, cause, reason, errors, ...fields } = spec;
  switch (type) {
    case 'undefined':
      return undefined;
    case 'string':
    case 'number':
      return value;
    case 'symbol':
      return Symbol(String(value));
  }
  const built = skeleton(type, message, errors);
  if (type === 'self-cause') built.cause = built;
  if (cause !== undefined) built.cause = buildError(cause);
  if (reason !== undefined) built.reason = buildError(reason);
  if (errName !== undefined) built.name = errName;
  return Object.assign(built, fields);
}

function skeleton(type: string, message: unknown, errors: readonly ErrorSpec[] | undefined): Record<string, unknown> {
  if (type === 'object') return message === undefined ? {} : { message };
  const text = message === undefined ? undefined : String(message);
  const error = type === 'aggregate' ? new AggregateError((errors ?? []).map(buildError), text) : new (CLASSES[type] ?? Error)(text);
  return error as unknown as Record<string, unknown>;
}
