import { err, ok, type Result } from '@plexus/kernel';
import type { z } from 'zod';
import { type BaseConfig, baseConfig } from './base-config.js';
import { type ConfigViolation, violationOf } from './config-violation.js';

/** Environment variables as a process has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads a service's settings from environment variables: the base settings and its own, checked together. Returns them frozen, or
 * every violation at once. An empty variable counts as not set. Variables that no schema names are ignored.
 */
export function loadConfig<Schema extends z.ZodObject>(
  schema: Schema,
  environment: Environment = process.env,
): Result<Readonly<z.output<Schema> & BaseConfig>, ConfigViolation[]> {
  const redefined = Object.keys(schema.shape).filter((name) => name in baseConfig.shape);
  if (redefined.length > 0) throw new TypeError(`the base settings ${redefined.join(', ')} may not be declared again`);

  const base = parseVariables(baseConfig, environment);
  const own = parseVariables(schema, environment);
  if (base.ok && own.ok) return ok(Object.freeze({ ...own.value, ...base.value }));
  return err([base, own].flatMap((part) => (part.ok ? [] : part.error)).sort((a, b) => a.variable.localeCompare(b.variable, 'en')));
}

function parseVariables<Schema extends z.ZodObject>(schema: Schema, environment: Environment): Result<z.output<Schema>, ConfigViolation[]> {
  const given: Record<string, string> = {};
  for (const name of Object.keys(schema.shape)) {
    const value = environment[name]?.trim();
    if (value !== undefined && value !== '') given[name] = value;
  }
  const parsed = schema.safeParse(given);
  return parsed.success ? ok(parsed.data) : err(parsed.error.issues.map((issue) => violationOf(issue, schema, given)));
}
