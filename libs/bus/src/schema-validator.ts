import { plexusError } from '@plexus/contracts';
import type { PlexusError } from '@plexus/kernel';
import type { z } from 'zod';
import { type CanonicalCheck, compileCanonicalCheck } from './canonical-check.js';
import { parseBody, textOf } from './json-body.js';

/** One violation: where, and what is wrong there. Never quotes content. */
export interface ValidationIssue {
  readonly path: readonly (string | number)[];
  readonly code: string;
  readonly message: string;
}

/** Validates values of one schema. Failures are INVALID_REQUEST with every issue in `details.issues`. */
export class SchemaValidator<S extends z.ZodType = z.ZodType> {
  private readonly canonical: CanonicalCheck;

  constructor(private readonly schema: S) {
    this.canonical = compileCanonicalCheck(schema);
  }

  /** What a reader gets: unknown keys are dropped, defaults filled in. */
  tolerant(value: unknown): z.output<S> {
    if (this.canonical.accepts(value)) return value as z.output<S>;
    const parsed = this.schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw invalid(parsed.error.issues.map(toIssue));
  }

  /** What a publisher may send: as {@link tolerant}, but an unknown key is an issue too. */
  strict(value: unknown): z.output<S> {
    if (this.canonical.accepts(value)) return value as z.output<S>;
    const parsed = this.schema.safeParse(value);
    const issues = parsed.success ? [] : parsed.error.issues.map(toIssue);
    if (parsed.success) collectUnknownKeys(value, parsed.data, [], issues);
    if (issues.length > 0) throw invalid(issues);
    return parsed.data as z.output<S>;
  }

  /** Parses a body within the wire limits and validates it tolerantly. Throws INVALID_JSON, PAYLOAD_TOO_LARGE or INVALID_REQUEST. */
  parse(body: Uint8Array): z.output<S> {
    if (this.canonical.closed) {
      // What fits a closed schema canonically cannot be too deep or hold odd keys: the walk over the tree is saved.
      const value = tryParse(body);
      if (this.canonical.accepts(value)) return value as z.output<S>;
    }
    return this.tolerant(parseBody(body));
  }
}

const validators = new WeakMap<z.ZodType, SchemaValidator>();

/** The validator of a schema, compiled at the first use. */
export function validatorFor<S extends z.ZodType>(schema: S): SchemaValidator<S> {
  let validator = validators.get(schema);
  if (validator === undefined) {
    validator = new SchemaValidator(schema);
    validators.set(schema, validator);
  }
  return validator as unknown as SchemaValidator<S>;
}

function tryParse(body: Uint8Array): unknown {
  try {
    const text = textOf(body);
    // Bytes that are no UTF-8 become U+FFFD here; the careful parser refuses them.
    return text.includes('\ufffd') ? undefined : JSON.parse(text);
  } catch {
    // Not an answer: the careful parser reads the body again and says what is wrong with it.
    return undefined;
  }
}

function toIssue(issue: z.core.$ZodIssue): ValidationIssue {
  return { path: issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part)), code: issue.code, message: issue.message };
}

/** Keys that were given but did not survive the parse: a publisher's typo, silently lost otherwise. */
function collectUnknownKeys(given: unknown, kept: unknown, path: readonly (string | number)[], issues: ValidationIssue[]): void {
  if (Array.isArray(given) && Array.isArray(kept)) {
    given.forEach((item, index) => {
      collectUnknownKeys(item, kept[index], [...path, index], issues);
    });
    return;
  }
  if (!isObject(given) || !isObject(kept)) return;
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (Object.hasOwn(kept, key)) collectUnknownKeys(value, kept[key], [...path, key], issues);
    else issues.push({ path: [...path, key], code: 'unrecognized_keys', message: 'The contract knows no such key.' });
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function invalid(issues: readonly ValidationIssue[]): PlexusError {
  return plexusError('INVALID_REQUEST', { details: { issues } });
}
