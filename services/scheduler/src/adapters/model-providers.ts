import { readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import {
  type MasterKeys,
  type ModelProvider,
  parseMasterKey,
  referencesIn,
  referenceVariables,
  resolveReferences,
  resolveSecret,
  type SecretRef,
  type TenantConfig,
  type Variables,
} from '@plexus/agent-config';
import { ConfigurationError, err, ok, type Result } from '@plexus/kernel';
import type { ModelEndpointFault, ResolveModelEndpoint } from '../application/model-endpoints.js';

/** What references of tenants may be resolved from. */
export interface ModelSecretSources {
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

/** Finds the endpoint of a provider in a tenant's configuration and resolves its references, at every call anew: a rotated key needs nothing else. */
export function modelProviders(configOf: (tenant: string) => TenantConfig | undefined, sources: ModelSecretSources): ResolveModelEndpoint {
  return (tenant, id) => {
    const config = configOf(tenant);
    const providers = config?.models?.providers ?? {};
    const provider = Object.hasOwn(providers, id) ? providers[id] : undefined;
    if (config === undefined || provider === undefined) {
      return err({ code: 'MODEL_UNAVAILABLE', message: `The model provider “${id}” is no longer configured (models.providers.${id}).` });
    }
    const env = referenceVariables(config, allowedVariables(sources.env));
    const baseUrl = addressOf(provider, id, env);
    if (!baseUrl.ok || provider.apiKey === undefined) return baseUrl.ok ? ok({ baseUrl: baseUrl.value }) : baseUrl;
    const apiKey = keyOf(provider.apiKey, id, tenant, { ...sources, env });
    return apiKey.ok ? ok({ baseUrl: baseUrl.value, apiKey: apiKey.value }) : apiKey;
  };
}

function addressOf({ baseUrl }: ModelProvider, id: string, env: Variables): Result<string, ModelEndpointFault> {
  const resolved = resolveReferences(baseUrl, env);
  if (resolved.ok) return resolved;
  const names = referencesIn(baseUrl).map(({ name }) => name);
  const why = names.some((name) => OWN_VARIABLES.test(name)) ? 'belongs to Plexus itself' : 'is not set, or empty';
  return err(fault(`models.providers.${id}.baseUrl`, `a variable of ${names.join(', ')} ${why}`));
}

function keyOf(
  reference: SecretRef,
  id: string,
  tenant: string,
  { env, folders, forbidden, masterKeys }: ModelSecretSources,
): Result<string, ModelEndpointFault> {
  const place = `models.providers.${id}.apiKey`;
  const variable = typeof reference === 'string' ? referencesIn(reference)[0]?.name : 'env' in reference ? reference.env : undefined;
  if (variable !== undefined && OWN_VARIABLES.test(variable)) return err(fault(place, `the variable ${variable} belongs to Plexus itself`));
  const readFile = (file: string): string => readSecretFile(file, folders, forbidden);
  const resolved = resolveSecret(reference, { env, readFile, tenant, ...(masterKeys && { masterKeys }) });
  return resolved.ok ? resolved : err(fault(place, resolved.error.message));
}

function fault(place: string, why: string): ModelEndpointFault {
  return { code: 'MODEL_KEY_UNAVAILABLE', message: `The scheduler cannot resolve ${place}: ${why}.` };
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
