import { type DynamicModule, Module } from '@nestjs/common';
import { redactSecrets, redactValue } from '@plexus/agent-config';
import { BUCKETS } from '@plexus/contracts';
import type { ServiceContext } from '@plexus/service-kit';
import { agentConfigRules } from './adapters/agent-config-rules.js';
import { ConfigReplicas } from './adapters/kv/config-replicas.js';
import { KvConfigStore } from './adapters/kv/kv-config-store.js';
import { ConfigAnnouncer } from './adapters/nats/config-announcer.js';
import { ConfigController } from './adapters/nats/config.controller.js';
import { ReadConfig } from './application/read-config.js';
import { WriteConfig } from './application/write-config.js';

@Module({ controllers: [ConfigController] })
class ConfigurationModule {}

/** Wires `rpc config.*`: the buckets, the rules of the library, and who is told of a change. */
export async function configurationModule({ bus, clock, log, onShutdown }: ServiceContext<never>): Promise<DynamicModule> {
  const [entries, parts, reports] = await Promise.all([bus.kv(BUCKETS.config), bus.kv(BUCKETS.configParts), bus.kv(BUCKETS.configStatus)]);
  const store = new KvConfigStore(bus, entries, parts, clock);
  const announcer = new ConfigAnnouncer(bus, log.child({ part: 'configuration' }));
  onShutdown('consumers', 'announcements of configuration changes', () => announcer.stop());
  return {
    module: ConfigurationModule,
    providers: [
      { provide: KvConfigStore, useValue: store },
      {
        provide: ReadConfig,
        useValue: new ReadConfig(store, agentConfigRules, (value, path, isBrief) => (isBrief ? redactValue : redactSecrets)(value, path)),
      },
      {
        provide: WriteConfig,
        useValue: new WriteConfig(store, agentConfigRules, (tenant, ...change) => {
          announcer.announce(tenant, ...change);
          store.tidyUp(tenant);
        }),
      },
      { provide: ConfigReplicas, useValue: new ConfigReplicas(reports) },
    ],
  };
}
