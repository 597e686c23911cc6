import type { SecretRef } from '../secrets/secret-ref.js';
import type { TenantConfig } from '../schema/tenant-config.js';
import { findAgent } from './agents.js';

/** One model that may answer. */
export interface ModelChoice {
  /** As configured. */
  readonly ref: string;
  /** Id of the configured provider; undefined where the runtime has to know the name. */
  readonly provider?: string;
  /** Name of the model at its provider. */
  readonly model: string;
  readonly baseUrl?: string;
  /** Tokens that it can read, where that is configured. */
  readonly contextTokens?: number;
  /** Where the key is; resolved late, in the service that needs it. */
  readonly apiKey?: SecretRef;
}

/** What an agent uses. `ref` and `model` are absent where nothing is configured: the runtime's default answers. */
export interface ResolvedModel extends Partial<ModelChoice> {
  readonly fallbacks: readonly ModelChoice[];
}

/** The model of an agent: its own, else that of `agents.defaults`, else `models.default`; likewise its fallbacks, without repetitions. */
export function resolveModel(config: TenantConfig, agentId: string): ResolvedModel {
  const agent = findAgent(config, agentId);
  const { defaults } = config.agents;
  const ref = [agent?.model, defaults?.model, config.models?.default].find((text) => text !== undefined && text.trim() !== '');
  const fallbacks = agent?.models?.fallbacks ?? defaults?.models?.fallbacks ?? config.models?.fallbacks ?? [];
  const seen = new Set([ref]);
  const others = fallbacks.filter((fallback) => !seen.has(fallback) && seen.add(fallback));
  return { ...(ref !== undefined && lookUpModel(config, ref)), fallbacks: others.map((fallback) => lookUpModel(config, fallback)) };
}

/** The standing instruction of an agent: its own, else that of `agents.defaults`; undefined where neither says anything. */
export function resolveSystemPrompt(config: TenantConfig, agentId: string): string | undefined {
  return findAgent(config, agentId)?.systemPrompt || config.agents.defaults?.systemPrompt || undefined;
}

/** Finds the provider of `provider/model`, or of a plain name that exactly one provider offers. */
export function lookUpModel(config: TenantConfig, ref: string): ModelChoice {
  const name = ref.trim();
  const providers = config.models?.providers ?? {};
  const slash = name.indexOf('/');
  const prefix = slash > 0 ? name.slice(0, slash).toLowerCase() : undefined;
  if (prefix !== undefined && Object.hasOwn(providers, prefix)) return choice(ref, prefix, name.slice(slash + 1));
  const offering = Object.keys(providers).filter((id) => providers[id]?.models.some((model) => model.id === name));
  return offering.length === 1 ? choice(ref, offering[0] as string, name) : { ref, model: name };

  function choice(text: string, provider: string, model: string): ModelChoice {
    const { baseUrl, apiKey, models } = providers[provider] as NonNullable<(typeof providers)[string]>;
    const contextTokens = models.find(({ id }) => id === model)?.contextWindow;
    return { ref: text, provider, model, baseUrl, ...(contextTokens !== undefined && { contextTokens }), ...(apiKey !== undefined && { apiKey }) };
  }
}
