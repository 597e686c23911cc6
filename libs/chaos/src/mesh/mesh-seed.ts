import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { applyStreams, connectBus } from '@plexus/bus';
import { BUCKETS, integratorPermissions } from '@plexus/contracts';
import { type NatsUser, OPERATOR_ROLE, type PreparedState } from '@plexus/local-stack';

/** An integrator of one tenant: its NATS user, and what it publishes as. */
export interface Integrator {
  readonly tenant: string;
  readonly source: string;
  readonly user: string;
  readonly password: string;
}

export const SOURCE = 'crm';
const PATIENCE_MS = 60_000;

export function integratorsOf(tenants: readonly string[]): Integrator[] {
  return tenants.map((tenant) => ({ tenant, source: SOURCE, user: `${SOURCE}-${tenant}`, password: randomBytes(12).toString('hex') }));
}

/** NATS users of integrators, with the permissions that a platform would give them and nothing else. */
export function integratorUsers(integrators: readonly Integrator[]): NatsUser[] {
  return integrators.map(({ tenant, source, user, password }) => ({
    name: `integrator ${source} of ${tenant}`,
    credential: { user, password },
    permissions: integratorPermissions(tenant, source, [], `_INBOX_${user}`),
  }));
}

/** Streams with `copies` replicas each, buckets, and the configuration of the tenants. Waits for the cluster to elect its leaders. */
export async function seedMesh(natsUrl: string, state: PreparedState, tenants: readonly string[], copies: number): Promise<void> {
  const seed = readFileSync(state.paths.nkeySeed(OPERATOR_ROLE), 'utf8').trim();
  const bus = await connectBus({ service: 'launcher', servers: natsUrl, credentials: { nkeySeed: seed }, connectTimeoutMs: PATIENCE_MS });
  try {
    const conflicts = await persist(async () => (await applyStreams(bus, { replicas: copies })).filter((entry) => entry.action === 'conflict'));
    if (conflicts.length > 0) throw new Error(`streams cannot be made: ${JSON.stringify(conflicts)}`);
    const config = await bus.kv(BUCKETS.config);
    const declared = Object.fromEntries(tenants.map((tenant) => [tenant, { defaultOwner: 'owner', keys: [state.publicKey] }]));
    await persist(() => config.put('_', { tenants: { default: { defaultOwner: 'me', keys: [state.publicKey] }, ...declared } }));
    for (const tenant of ['default', ...tenants]) await persist(() => config.put(tenant, { agents: { list: [{ id: 'main', default: true }] } }));
  } finally {
    await bus.close();
  }
}

/** A cluster that has just started answers "no leader" for a while. */
async function persist<T>(work: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() >= giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}
