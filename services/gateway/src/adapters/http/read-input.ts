import { plexusError } from '@plexus/contracts';
import { z } from 'zod';

/** Reads a body, query or parameters by a schema. Throws INVALID_REQUEST with every issue and its path. */
export function readInput<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  const parsed = schema.safeParse(input ?? {});
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, 20).map(({ path, code, message }) => ({ path: `/${path.map(String).join('/')}`, code, message }));
  throw plexusError('INVALID_REQUEST', { message: issues.map(({ path, message }) => `${path}: ${message}`).join('; '), details: { issues } });
}

/** A whole number in a query string. */
export const queryNumber = (minimum: number, maximum: number) =>
  z
    .string()
    .regex(/^-?[0-9]{1,15}$/, { error: 'must be a whole number' })
    .transform(Number)
    .pipe(z.number().int().min(minimum).max(maximum));

/** Drops keys whose value is undefined: contracts know absent keys only. */
export function defined<T extends Record<string, unknown>>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as never;
}

/** The `Idempotency-Key` header, when it is usable. */
export function idempotencyKeyOf(headers: Readonly<Record<string, string | string[] | undefined>>): string | undefined {
  const value = headers['idempotency-key'];
  if (value === undefined) return undefined;
  const key = (Array.isArray(value) ? (value[0] ?? '') : value).trim();
  if (key.length >= 1 && key.length <= 256) return key;
  throw plexusError('INVALID_REQUEST', { message: 'Idempotency-Key must have 1 to 256 characters', details: { issues: [{ path: 'Idempotency-Key' }] } });
}
