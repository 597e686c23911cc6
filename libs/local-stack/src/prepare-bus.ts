import { parsePlatformConfig } from '@plexus/agent-config';
import type { Bucket } from '@plexus/bus';
import { BUCKETS } from '@plexus/contracts';
import type { JWK } from 'jose';
import { connectionOf, type NatsAccess } from './nats-access.js';
import { DEMO_INTEGRATOR } from './state.js';
import { StartError } from './start-error.js';

export interface PrepareBusOptions extends NatsAccess {
  /** Public half of the key that signs tokens of tenant `default`. */
  readonly publicKey: JWK;
}

const OWNER = 'me';

/**
 * Brings a NATS server to what the contracts declare (streams, consumers, buckets) and seeds the configuration of a first start: tenant
 * `default` with owner `me`, our public key and one agent. Existing configuration is kept; only our key is added to it when missing.
 * Returns how many assets were created or changed.
 */
export async function prepareBus(options: PrepareBusOptions): Promise<number> {
  // Only whoever starts a mesh pays for the client; programs that want just a server (tests of the bus itself among them) do not.
  const { applyStreams, connectBus } = await import('@plexus/bus');
  const bus = await connectBus({
    service: 'launcher',
    ...connectionOf(options),
    connectTimeoutMs: 60_000,
  });
  try {
    const entries = await applyStreams(bus);
    const conflicts = entries.filter((entry) => entry.action === 'conflict');
    if (conflicts.length > 0) {
      const list = conflicts.map(
        (entry) => `  ${entry.asset}: ${entry.differences.map(({ field, reason }) => `${field}${reason ? ` (${reason})` : ''}`).join(', ')}`,
      );
      throw new StartError(
        'STATE_UNREADABLE',
        `Streams of this state cannot be brought to what this version declares without losing data:\n${list.join('\n')}`,
        'Run `npx plexus nats plan` to see the differences, or start with --fresh (which forgets everything).',
      );
    }
    const config = await bus.kv(BUCKETS.config);
    await seedPlatform(config, options.publicKey);
    await config.create(DEMO_INTEGRATOR.tenant, { agents: { list: [{ id: 'main', default: true }] } });
    return entries.filter((entry) => entry.action !== 'ok').length;
  } finally {
    await bus.close();
  }
}

async function seedPlatform(config: Bucket, publicKey: JWK): Promise<void> {
  const stored = await config.get('_');
  const { tenant } = DEMO_INTEGRATOR;
  if (stored === undefined) {
    await config.create('_', { tenants: { [tenant]: { defaultOwner: OWNER, keys: [publicKey] } } });
    return;
  }
  const document = stored.json<{ tenants?: Record<string, { keys?: JWK[] }> }>();
  const parsed = parsePlatformConfig(document);
  const known = parsed.ok ? parsed.value.tenants[tenant] : undefined;
  // A platform configuration without this tenant, or one we cannot read, is somebody's decision.
  if (known === undefined || known.keys.some((key) => key.kid === publicKey.kid)) return;
  const declared = document.tenants?.[tenant];
  const next = { ...document, tenants: { ...document.tenants, [tenant]: { ...declared, keys: [...(declared?.keys ?? []), publicKey] } } };
  // A lost race means that another writer is at it; the next start looks again.
  await config.update('_', next, stored.revision);
}
