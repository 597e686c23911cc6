import { err, ok, type Result } from '@plexus/kernel';
import { type MasterKeys, openSecret } from './seal.js';
import { referenceName, type SecretRef } from './secret-ref.js';

/** Where the values of references come from, in the process that needs one. */
export interface SecretSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Reads a file as text; throws when it cannot. Absent: references to files are refused. */
  readonly readFile?: (path: string) => string;
  readonly masterKeys?: MasterKeys;
  /** Context of sealed secrets: the tenant. */
  readonly tenant: string;
}

export interface SecretFault {
  readonly code: 'missing_variable' | 'unreadable_file' | 'no_master_key' | 'empty_secret' | 'not_sealed' | 'unknown_key' | 'wrong_context_or_damaged';
  /** Names the reference, never a value. */
  readonly message: string;
}

/** Gets the secret that a reference points to. Do this as late as possible, and put the value nowhere else. */
export function resolveSecret(reference: SecretRef, sources: SecretSources): Result<string, SecretFault> {
  if (typeof reference === 'string') return fromEnvironment(referenceName(reference) ?? '', sources);
  if ('env' in reference) return fromEnvironment(reference.env, sources);
  if ('file' in reference) return fromFile(reference.file, sources);
  if (sources.masterKeys === undefined) return err({ code: 'no_master_key', message: 'this process has no master key to open a sealed secret with' });
  return openSecret(reference, sources.masterKeys, sources.tenant);
}

function fromEnvironment(name: string, { env }: SecretSources): Result<string, SecretFault> {
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  return value === undefined || value === '' ? err({ code: 'missing_variable', message: `the variable ${name} is not set, or empty` }) : ok(value);
}

function fromFile(path: string, { readFile }: SecretSources): Result<string, SecretFault> {
  if (readFile === undefined) return err({ code: 'unreadable_file', message: 'this process reads no secrets from files' });
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    const reason = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'unreadable';
    return err({ code: 'unreadable_file', message: `the file ${path} cannot be read (${reason})` });
  }
  const value = text.replace(/\r?\n$/, '');
  return value === '' ? err({ code: 'empty_secret', message: `the file ${path} is empty` }) : ok(value);
}
