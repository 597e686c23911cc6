import { type ModelProvider, referencesIn, referenceVariables, resolveReferences, type TenantConfig, type Variables } from '@plexus/agent-config';
import { err, ok, type Result } from '@plexus/kernel';
import { allowedVariables, isOwnVariable, type TenantSecretSources, tenantSecret } from '@plexus/service-kit';
import type { ModelEndpointFault, ResolveModelEndpoint } from '../application/model-endpoints.js';

/** Finds the endpoint of a provider in a tenant's configuration and resolves its references, at every call anew: a rotated key needs nothing else. */
export function modelProviders(configOf: (tenant: string) => TenantConfig | undefined, sources: TenantSecretSources): ResolveModelEndpoint {
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
    const apiKey = tenantSecret(provider.apiKey, tenant, config, sources);
    return apiKey.ok ? ok({ baseUrl: baseUrl.value, apiKey: apiKey.value }) : err(fault(`models.providers.${id}.apiKey`, apiKey.error));
  };
}

function addressOf({ baseUrl }: ModelProvider, id: string, env: Variables): Result<string, ModelEndpointFault> {
  const resolved = resolveReferences(baseUrl, env);
  if (resolved.ok) return resolved;
  const names = referencesIn(baseUrl).map(({ name }) => name);
  const why = names.some((name) => isOwnVariable(name)) ? 'belongs to Plexus itself' : 'is not set, or empty';
  return err(fault(`models.providers.${id}.baseUrl`, `a variable of ${names.join(', ')} ${why}`));
}

function fault(place: string, why: string): ModelEndpointFault {
  return { code: 'MODEL_KEY_UNAVAILABLE', message: `The scheduler cannot resolve ${place}: ${why}.` };
}
