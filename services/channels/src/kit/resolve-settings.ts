import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { nodeFiles, withLinksResolved } from '@plexus/agent-config';
import type { z } from 'zod';

/** What secrets may be read from. */
export interface SecretSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folders that `{file}` may name; empty: any file outside `forbidden`. */
  readonly folders: readonly string[];
  /** Folders and files of the process's own. */
  readonly forbidden: readonly string[];
}

/** Settings that cannot be used as they are; the reason names places, never values. */
export class SettingsProblem extends Error {
  override readonly name = 'SettingsProblem';
}

const REFERENCE = /\$\{([A-Z_][A-Z0-9_]*)\}/g;
/** Credentials of the mesh itself: a tenant's configuration must not be able to send them anywhere. */
const OWN_VARIABLES = /^(PLEXUS|NATS|DATABASE|MEMORY_DATABASE|OTEL|CHANNEL|NODE)_/;
const MAX_SECRET_BYTES = 65_536;
const MAX_DEPTH = 16;

/**
 * Replaces references to secrets (`${NAME}` in texts, `{env}`, `{file}`) by their values and checks the result with the adapter's schema.
 * Done at each connection, so that a rotated secret needs no more than a reconnect. Throws {@link SettingsProblem}.
 */
export async function resolveSettings<S extends z.ZodType>(settings: unknown, schema: S, sources: SecretSources): Promise<z.output<S>> {
  const resolved = await resolve(settings, '', sources, 0);
  const parsed = schema.safeParse(resolved);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.') || 'settings'}: ${issue.message}`);
  throw new SettingsProblem(issues.join('; ').slice(0, 480));
}

async function resolve(value: unknown, at: string, sources: SecretSources, depth: number): Promise<unknown> {
  if (depth > MAX_DEPTH) throw new SettingsProblem(`${at}: nested too deeply`);
  if (typeof value === 'string') return value.replace(REFERENCE, (_match, name: string) => variable(name, at, sources));
  if (Array.isArray(value)) return Promise.all(value.map((item, index) => resolve(item, `${at}[${index}]`, sources, depth + 1)));
  if (typeof value !== 'object' || value === null) return value;
  const [only, ...more] = Object.entries(value);
  if (only !== undefined && more.length === 0 && typeof only[1] === 'string') {
    const [kind, name] = only;
    if (kind === 'env') return variable(name, at, sources);
    if (kind === 'file') return fileSecret(name, at, sources);
    if (kind === 'sealed') throw new SettingsProblem(`${at}: channel adapters have no master key; use {env} or {file}`);
  }
  const entries = await Promise.all(
    Object.entries(value).map(async ([key, inner]) => [key, await resolve(inner, at === '' ? key : `${at}.${key}`, sources, depth + 1)] as const),
  );
  return Object.fromEntries(entries);
}

function variable(name: string, at: string, { env }: SecretSources): string {
  if (OWN_VARIABLES.test(name)) throw new SettingsProblem(`${at}: the variable ${name} belongs to Plexus itself`);
  const value = env[name];
  if (value === undefined || value === '') throw new SettingsProblem(`${at}: the variable ${name} is not set`);
  return value;
}

async function fileSecret(file: string, at: string, { folders, forbidden }: SecretSources): Promise<string> {
  // Judged by where it lies: a link must lead neither into a folder of our own nor out of those that are for secrets.
  const full = withLinksResolved(path.resolve(file), nodeFiles);
  if (!path.isAbsolute(file)) throw new SettingsProblem(`${at}: the file must be named by its absolute path`);
  const allowed = folders.length === 0 || folders.some((folder) => isWithin(full, folder));
  if (!allowed || forbidden.some((folder) => isWithin(full, folder))) throw new SettingsProblem(`${at}: secrets are not read from that folder`);
  try {
    const bytes = await readFile(full);
    if (bytes.length > MAX_SECRET_BYTES) throw new SettingsProblem(`${at}: the file is no secret, it has ${bytes.length} bytes`);
    return bytes.toString('utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    if (cause instanceof SettingsProblem) throw cause;
    throw new SettingsProblem(`${at}: the file cannot be read (${(cause as { code?: string }).code ?? 'error'})`, { cause });
  }
}

function isWithin(file: string, folder: string): boolean {
  const relative = path.relative(withLinksResolved(path.resolve(folder), nodeFiles), file);
  return relative === '' || (relative.split(path.sep, 1)[0] !== '..' && !path.isAbsolute(relative));
}
