import type { z } from 'zod';

type Schema = z.core.$ZodType;
type Check = (value: unknown) => boolean;

/** A compiled question to a schema. */
export interface CanonicalCheck {
  /**
   * True only when the schema accepts the value and would return an equal one: nothing to strip, fill in or transform. False means
   * "ask the schema itself", not "invalid".
   */
  readonly accepts: Check;
  /** True when the schema leaves no place where arbitrary JSON may hide: what `accepts` lets through has known keys and bounded depth. */
  readonly closed: boolean;
}

const NEVER: Check = () => false;

/**
 * Compiles the question "is this value already exactly what the schema would return?" into closures. Most traffic between our own
 * services is; answering that costs a tenth of a parse. Kinds of schemas that are not known here answer false, so that zod decides.
 */
export function compileCanonicalCheck(schema: Schema): CanonicalCheck {
  const compiler = new Compiler();
  const accepts = compiler.compile(schema);
  return { accepts, closed: compiler.closed };
}

class Compiler {
  closed = true;
  private readonly inProgress = new Set<Schema>();

  compile(schema: Schema): Check {
    // A recursive schema has no bound on its depth; zod follows it.
    if (this.inProgress.has(schema)) return NEVER;
    this.inProgress.add(schema);
    const shape = this.shapeOf(schema);
    this.inProgress.delete(schema);
    return withChecks(schema, shape);
  }

  private shapeOf(schema: Schema): Check {
    const def = (schema as z.core.$ZodTypes)._zod.def;
    switch (def.type) {
      case 'string':
        return def.coerce ? NEVER : (value) => typeof value === 'string';
      case 'number':
        return def.coerce ? NEVER : (value) => typeof value === 'number' && Number.isFinite(value);
      case 'boolean':
        return def.coerce ? NEVER : (value) => typeof value === 'boolean';
      case 'null':
        return (value) => value === null;
      case 'any':
      case 'unknown':
        this.closed = false;
        return () => true;
      case 'literal':
        return oneOf(def.values);
      case 'enum':
        return oneOf(schema._zod.values ?? new Set());
      case 'optional':
        return absentOr(schema, def.innerType, this.compile(def.innerType));
      case 'nullable':
        return nullOr(this.compile(def.innerType));
      case 'default':
      case 'readonly':
        return this.compile(def.innerType);
      case 'array':
        return everyItem(this.compile(def.element));
      case 'record':
        return this.record(def);
      case 'object':
        return this.object(def);
      case 'union':
        return this.union(def as z.core.$ZodUnionDef);
      default:
        return NEVER;
    }
  }

  private record(def: z.core.$ZodRecordDef): Check {
    this.closed = false;
    const { type, checks } = def.keyType._zod.def;
    // Keys of an enumerable type are required or optional by rules of their own; formats may transform.
    if (type !== 'string' || (checks?.length ?? 0) > 0 || def.keyType._zod.traits.has('$ZodCheck')) return NEVER;
    const item = this.compile(def.valueType);
    return (value) => {
      if (!isPlainObject(value)) return false;
      for (const key in value) if (key === '__proto__' || !item(value[key])) return false;
      return true;
    };
  }

  private object(def: z.core.$ZodObjectDef): Check {
    const fields = new Map<string, Check>();
    const required: string[] = [];
    for (const [key, field] of Object.entries(def.shape)) {
      fields.set(key, this.compile(field));
      // A field that zod fills in when it is absent has to be there; an optional one need not.
      if (field._zod.optin !== 'optional' || field._zod.def.type !== 'optional') required.push(key);
    }
    const extra = this.catchall(def.catchall);
    return (value) => {
      if (!isPlainObject(value)) return false;
      let seen = 0;
      for (const key in value) {
        const field = fields.get(key);
        if (field === undefined) {
          if (!extra(key)) return false;
        } else {
          if (!field(value[key])) return false;
          seen += 1;
        }
      }
      if (seen === fields.size) return true;
      for (const key of required) if (!Object.hasOwn(value, key)) return false;
      return true;
    };
  }

  /** Whether a key outside the shape may stay as it is. */
  private catchall(schema: Schema | undefined): (key: string) => boolean {
    if (schema?._zod.def.type !== 'unknown') return NEVER as (key: string) => boolean;
    this.closed = false;
    return (key) => key !== '__proto__';
  }

  /** The first option that zod would take decides, so an option may be passed over only when it certainly refuses. */
  private union(def: z.core.$ZodUnionDef & { readonly discriminator?: string }): Check {
    const { discriminator } = def;
    const options = def.options.map((option) => ({ accepts: this.compile(option), decides: isScalar(option), option }));
    if (discriminator !== undefined) return this.discriminated(discriminator, options);
    return (value) => {
      for (const { accepts, decides } of options) {
        if (accepts(value)) return true;
        if (!decides) return false;
      }
      return false;
    };
  }

  private discriminated(discriminator: string, options: readonly { readonly accepts: Check; readonly option: Schema }[]): Check {
    const byValue = new Map<unknown, Check>();
    for (const { accepts, option } of options) {
      for (const value of option._zod.propValues?.[discriminator] ?? []) byValue.set(value, accepts);
    }
    return (value) => isPlainObject(value) && (byValue.get(value[discriminator]) ?? NEVER)(value);
  }
}

/** Runs the schema's own checks (length, format, refinements) and accepts only when they neither complain nor change the value. */
function withChecks(schema: Schema, shape: Check): Check {
  if (shape === NEVER) return NEVER;
  const own = schema._zod.traits.has('$ZodCheck') ? [schema as unknown as z.core.$ZodCheck] : [];
  const checks = [...own, ...(schema._zod.def.checks ?? [])];
  if (checks.length === 0) return shape;
  const quick = checks.map(compileCheck);
  return (value) => {
    if (!shape(value)) return false;
    for (const check of quick) if (!check(value)) return false;
    return true;
  };
}

function compileCheck(check: z.core.$ZodCheck): Check {
  const def = check._zod.def as z.core.$ZodChecks['_zod']['def'];
  switch (def.check) {
    case 'min_length':
      return (value) => (value as string | unknown[]).length >= def.minimum;
    case 'max_length':
      return (value) => (value as string | unknown[]).length <= def.maximum;
    default:
      return (value) => {
        const payload: z.core.ParsePayload = { value, issues: [] };
        const answer: unknown = check._zod.check(payload as z.core.ParsePayload<never>);
        return answer === undefined && payload.issues.length === 0 && Object.is(payload.value, value);
      };
  }
}

function oneOf(values: Iterable<unknown>): Check {
  const set = new Set(values);
  const [only] = set;
  if (set.size === 1) return (value) => value === only;
  return (value) => set.has(value);
}

function absentOr(schema: Schema, inner: Schema, accepts: Check): Check {
  // `.default().optional()` fills in; plain optional keeps an absent value absent.
  if (schema._zod.optin === 'defaulted' || inner._zod.optin === 'defaulted') return accepts;
  return (value) => value === undefined || accepts(value);
}

function nullOr(accepts: Check): Check {
  return (value) => value === null || accepts(value);
}

function everyItem(item: Check): Check {
  return (value) => {
    if (!Array.isArray(value)) return false;
    for (let index = 0; index < value.length; index += 1) if (!item(value[index])) return false;
    return true;
  };
}

/** Schemas whose compiled check answers "certainly invalid" when it says no: they cannot strip, fill in or transform. */
function isScalar(schema: Schema): boolean {
  const { type, checks = [] } = schema._zod.def;
  const plain = type === 'string' || type === 'number' || type === 'boolean' || type === 'null' || type === 'literal' || type === 'enum';
  const coerces = 'coerce' in schema._zod.def && schema._zod.def.coerce === true;
  return plain && !coerces && checks.every((check) => check._zod.def.check !== 'overwrite') && !overwrites(schema);
}

/** Formats such as `.trim()` on a format schema may rewrite the value. */
function overwrites(schema: Schema): boolean {
  return schema._zod.traits.has('$ZodCheck') && (schema._zod.def as { readonly check?: string }).check === 'overwrite';
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
