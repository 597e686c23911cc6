import 'reflect-metadata';
import { Module } from '@nestjs/common';
import type { Bucket, Bus, CallOptions } from '@plexus/bus';
import { BUCKETS, configContracts, type InputOf, type Principal, type ResponseOf, type RpcContract } from '@plexus/contracts';
import { type RunningService, startService } from '@plexus/service-kit';
import { connectTestBus, startTestNats, type TestNats } from '@plexus/testing';
import { z } from 'zod';
import { configurationModule } from '../../src/configuration.module.js';
import { PATIENCE_MS } from './routing-mesh.js';

@Module({})
class NoHandlers {}

const none = z.object({});
const BASE = { LOG_LEVEL: 'silent', SHUTDOWN_TIMEOUT_MS: 5_000, INTERNAL_HOST: '127.0.0.1', INTERNAL_PORT: 0, PROPAGATION_DELAY_MS: 0 } as const;

/** Real NATS and replicas of the configuration service, without the rest of routing and without a database. */
export interface ConfigMesh {
  readonly nats: TestNats;
  readonly bus: Bus;
  readonly bucket: Bucket;
  readonly replicas: RunningService<typeof none>[];
  call<C extends RpcContract>(rpc: C, data: InputOf<C>, as?: Partial<Principal>, options?: CallOptions): Promise<ResponseOf<C>>;
  /** Replaces the document of `acme`, whatever is there. */
  apply(text: string): Promise<ResponseOf<typeof configContracts.applyConfig>>;
  stop(): Promise<void>;
}

export async function startConfigMesh(replicas = 1): Promise<ConfigMesh> {
  const nats = await startTestNats();
  const bus = await connectTestBus(nats.url, { apply: true });
  const bucket = await bus.kv(BUCKETS.config);
  await bucket.put('_', { tenants: { acme: {}, other: {} } });
  const config = { ...BASE, NATS_URL: nats.url } as never;
  const gateway = await startService({ name: 'gateway', config: none, needs: {}, create: async () => ({ module: NoHandlers }) }, { config });
  const running: RunningService<typeof none>[] = [];
  for (let index = 0; index < replicas; index += 1) {
    running.push(
      await startService(
        { name: 'routing', config: none, needs: {}, create: async (context) => ({ module: await configurationModule(context as never) }) },
        { config },
      ),
    );
  }
  const principal = (more: Partial<Principal> = {}): Principal => ({
    tenant: 'acme',
    user: 'ada',
    role: 'operator',
    scopes: ['operator.admin'],
    credentialId: 'spec',
    ...more,
  });
  const call: ConfigMesh['call'] = (rpc, data, as, options) =>
    gateway.context.bus.call(rpc, as?.tenant ?? 'acme', data, { principal: principal(as), timeoutMs: PATIENCE_MS, ...options });
  return {
    nats,
    bus,
    bucket,
    replicas: running,
    call,
    apply: (text) => call(configContracts.applyConfig, { text, force: true }),
    stop: async () => {
      await Promise.all(running.map((replica) => replica.stop('spec')));
      await gateway.stop('spec');
      await bus.close();
      await nats.stop();
    },
  };
}
