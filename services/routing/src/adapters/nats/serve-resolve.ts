import type { Bus, Serving } from '@plexus/bus';
import { routingContracts as contracts, SCOPES } from '@plexus/contracts';
import { type RouteInput, resolveRoute } from '@plexus/routing-core';
import type { TenantSettings } from '../../application/tenant-settings.js';
import { requireScope } from '../../domain/caller.js';

/** The one question that is asked for every message of every edge: answered straight from the bus, with the checks of every RPC and without Nest's pipeline. */
export function serveResolve(bus: Pick<Bus, 'serve'>, settings: TenantSettings): Serving {
  return bus.serve(contracts.resolveRoute, async (data, { tenant, principal }) => {
    requireScope(principal, SCOPES.read);
    const snapshot = settings.get(tenant);
    return { ...resolveRoute(settings.routes(snapshot), data as RouteInput), configRevision: snapshot.revision };
  });
}
