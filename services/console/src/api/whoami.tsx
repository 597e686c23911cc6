import { useCallback } from 'react';
import { useApi } from './session.js';
import { type Resource, useResource } from './use-resource.js';

export interface WhoAmI {
  readonly tenant: string;
  readonly user: string;
  readonly role: string;
  readonly scopes: readonly string[];
  /** Sees the whole deployment, not a tenant alone. */
  readonly deployment: boolean;
  readonly defaults: { readonly agentId: string; readonly sessionKey: string };
  readonly server: { readonly version: string; readonly uptimeMs: number };
}

/** Who the token proves. */
export function useWhoAmI(): Resource<WhoAmI> {
  const api = useApi();
  return useResource(useCallback((signal) => api.get<WhoAmI>('/v1/whoami', undefined, signal), [api]));
}
