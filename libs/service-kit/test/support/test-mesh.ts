import { applyStreams, type Bus, connectBus } from '@plexus/bus';
import { BUCKETS } from '@plexus/contracts';
import { startTestNats, type TestNats } from '@plexus/testing';

/** A NATS server with the stream plan applied and tenants declared, and an administrator's connection to it. */
export interface TestMesh {
  readonly nats: TestNats;
  readonly admin: Bus;
  stop(): Promise<void>;
}

/** Starts it. Only the assets whose names `keep` accepts are left; the default keeps all. */
export async function startMesh(platform: object = { tenants: { acme: { defaultOwner: 'ops' }, other: {} } }): Promise<TestMesh> {
  const nats = await startTestNats();
  const admin = await connectBus({ service: 'admin', servers: nats.url, allowAnonymous: true });
  await applyStreams(admin, { maxBytesCap: 4 * 1024 * 1024 });
  await (await admin.kv(BUCKETS.config)).put('_', platform);
  return {
    nats,
    admin,
    stop: async () => {
      await admin.close();
      await nats.stop();
    },
  };
}
