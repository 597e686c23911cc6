import { isSecretRef, type McpValue, referencesIn, referenceVariables, resolveReferences, resolveSecret, type TenantConfig } from '@plexus/agent-config';
import { err, ok, type Result } from '@plexus/kernel';
import { allowedVariables, isOwnVariable, readSecretFile, type TenantSecretSources } from '@plexus/service-kit';

/** Resolves the values that a tenant has configured below one place, references and all. The error names places and references, never a value. */
export type ResolveValues = (tenant: string, place: string, values: Readonly<Record<string, McpValue>>) => Result<Record<string, string>, string>;

/** Values of now, from the same sources as the keys of model providers: a rotated secret needs nothing else. */
export function configuredValues(configOf: (tenant: string) => TenantConfig | undefined, sources: TenantSecretSources): ResolveValues {
  return (tenant, place, values) => {
    const config = configOf(tenant);
    const env = referenceVariables(config ?? {}, allowedVariables(sources.env));
    const resolved: Record<string, string> = {};
    for (const [name, value] of Object.entries(values)) {
      const one = resolvedValue(value, tenant, { ...sources, env });
      if (!one.ok) return err(`the scheduler cannot resolve ${place}.${name}: ${one.error}`);
      resolved[name] = one.value;
    }
    return ok(resolved);
  };
}

function resolvedValue(value: McpValue, tenant: string, { env, folders, forbidden, masterKeys }: TenantSecretSources): Result<string, string> {
  const names = typeof value === 'string' ? referencesIn(value).map(({ name }) => name) : 'env' in value ? [value.env] : [];
  const own = names.find(isOwnVariable);
  if (own !== undefined) return err(`the variable ${own} belongs to Plexus itself`);
  if (typeof value === 'string') {
    const text = resolveReferences(value, env);
    return text.ok ? text : err(`a variable of ${names.join(', ')} is not set, or empty`);
  }
  if (!isSecretRef(value)) return err('it is no reference');
  const secret = resolveSecret(value, { env, readFile: (file) => readSecretFile(file, folders, forbidden), tenant, ...(masterKeys && { masterKeys }) });
  return secret.ok ? secret : err(secret.error.message);
}
