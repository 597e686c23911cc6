import { readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import {
  type MasterKeys,
  parseMasterKey,
  referencesIn,
  referenceVariables,
  resolveSecret,
  type SecretRef,
  type TenantConfig,
  type Variables,
} from '@plexus/agent-config';
import { ConfigurationError, err, ok, type Result } from '@plexus/kernel';

/** What references of tenants may be resolved from. */
export interface TenantSecretSources {
  readonly env: Variables;
  /** Folders that `{file}` may name; empty: any file outside `forbidden`. */
  readonly folders: readonly string[];
  /** Folders and files of the process's own. */
  readonly forbidden: readonly string[];
  readonly masterKeys?: MasterKeys | undefined;
}

/** Credentials of the mesh itself: a tenant's configuration must not be able to send them anywhere. */
const OWN_VARIABLES = /^(PLEXUS|NATS|DATABASE|MEMORY_DATABASE|SCHEDULER|OTEL|CHANNEL|NODE|VM|KUBERNETES|KUBECONFIG|DOCKER)(_|$)/;
const MAX_SECRET_BYTES = 65_536;

/** Gets a secret that a tenant's configuration refers to, as it is now. The error names reference and reason, never a value. */
export function tenantSecret(reference: SecretRef, tenant: string, config: TenantConfig | undefined, sources: TenantSecretSources): Result<string, string> {
  const variable = typeof reference === 'string' ? referencesIn(reference)[0]?.name : 'env' in reference ? reference.env : undefined;
  if (variable !== undefined && isOwnVariable(variable)) return err(`the variable ${variable} belongs to Plexus itself`);
  const { folders, forbidden, masterKeys } = sources;
  const env = referenceVariables(config ?? {}, allowedVariables(sources.env));
  const readFile = (file: string): string => readSecretFile(file, folders, forbidden);
  const resolved = resolveSecret(reference, { env, readFile, tenant, ...(masterKeys && { masterKeys }) });
  return resolved.ok ? ok(resolved.value) : err(resolved.error.message);
}

/** The variables that a tenant's configuration may refer to. */
export function allowedVariables(env: Variables): Variables {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !isOwnVariable(name)));
}

/** True for a variable of the mesh itself. */
export function isOwnVariable(name: string): boolean {
  return OWN_VARIABLES.test(name);
}

/** Judged by where links lead. Throws with a `code` that names no content. */
export function readSecretFile(file: string, folders: readonly string[], forbidden: readonly string[]): string {
  if (!path.isAbsolute(file)) throw refusal('NOT_ABSOLUTE');
  const real = realpathSync(file);
  const isAllowed = folders.length === 0 || folders.some((folder) => isWithin(real, folder));
  if (!isAllowed || forbidden.some((folder) => isWithin(real, folder))) throw refusal('NOT_ALLOWED');
  const bytes = readFileSync(real);
  if (bytes.length > MAX_SECRET_BYTES) throw refusal('TOO_LARGE');
  return bytes.toString('utf8');
}

function refusal(code: string): Error {
  return Object.assign(new Error('secrets are not read from there'), { code });
}

function isWithin(file: string, folder: string): boolean {
  const relative = path.relative(realOf(folder), file);
  return relative === '' || (!relative.startsWith('..') && !path.isAbsolute(relative));
}

/** A folder that is not there can hold nothing, but may come later. */
function realOf(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return path.resolve(folder);
  }
}

/** Keys that open sealed references. Undefined without a master key; `unusable` when it is none that seals (32 bytes in base64 or hex). */
export function sealingKeys(texts: { readonly current: string; readonly previous: string | undefined } | undefined): MasterKeys | 'unusable' | undefined {
  if (texts === undefined) return undefined;
  try {
    return { current: parseMasterKey(texts.current), ...(texts.previous !== undefined && { previous: parseMasterKey(texts.previous) }) };
  } catch (error) {
    if (error instanceof ConfigurationError) return 'unusable';
    throw error;
  }
}
