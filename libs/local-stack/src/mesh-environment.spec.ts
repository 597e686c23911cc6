import { type MeshAddresses, serviceEnvironment } from './mesh-environment.js';
import { SERVICES } from './mesh-settings.js';
import { statePaths } from './state-paths.js';

const mesh: MeshAddresses = {
  paths: statePaths('/state'),
  clusterId: 'c1',
  natsUrl: 'nats://127.0.0.1:1',
  natsIsEmbedded: true,
  databaseUrl: 'postgresql://db',
  memoryDatabaseUrl: 'pglite:/state/memory',
  gatewayPort: 18_789,
};

describe('the environment of a service', () => {
  const env = {
    PLEXUS_TOKEN: 't',
    PLEXUS_MASTER_KEY: 'm',
    PLEXUS_MODEL_API_KEY: 'k',
    DATABASE_URL: 'x',
    LOG_LEVEL: 'debug',
    npm_config_x: 'y',
    NODE_CHANNEL_FD: '3',
  };

  it('gives every service its own NATS credential and inherits ordinary settings', () => {
    for (const service of SERVICES) {
      expect(serviceEnvironment(service, mesh, env)).toMatchObject({
        NATS_NKEY_SEED_FILE: `/state/credentials/${service}.nk`,
        OTEL_SERVICE_NAME: service,
        PLEXUS_PARENT_BOUND: '1',
        PLEXUS_CLUSTER: 'c1',
        LOG_LEVEL: 'debug',
      });
    }
  });

  it('keeps secrets from services that have no business with them', () => {
    for (const service of SERVICES.filter((name) => name !== 'scheduler')) {
      const own = serviceEnvironment(service, mesh, env);
      if (service !== 'memory' && service !== 'push') expect(own).not.toHaveProperty('PLEXUS_MASTER_KEY');
      expect(own).not.toHaveProperty('PLEXUS_MODEL_API_KEY');
      expect(own).not.toHaveProperty('PLEXUS_TOKEN');
    }
    expect(serviceEnvironment('memory', mesh, env)).toMatchObject({ PLEXUS_MASTER_KEY: 'm' });
    expect(serviceEnvironment('memory', mesh, {})).toMatchObject({ PLEXUS_MASTER_KEY_FILE: '/state/credentials/master-key' });
    expect(serviceEnvironment('push', mesh, env)).toMatchObject({ PLEXUS_MASTER_KEY: 'm', PUSH_PRIVATE_HOSTS: '*' });
    expect(serviceEnvironment('gateway', mesh, env)).not.toHaveProperty('DATABASE_URL');
    expect(serviceEnvironment('scheduler', mesh, env)).toMatchObject({ PLEXUS_MASTER_KEY: 'm', PLEXUS_MODEL_API_KEY: 'k', DATABASE_URL: 'postgresql://db' });
  });

  it('hands the credential of the environment on when the NATS server is the user’s', () => {
    const own = serviceEnvironment('push', { ...mesh, natsIsEmbedded: false }, { NATS_NKEY_SEED_FILE: '/secrets/nk' });
    expect(own.NATS_NKEY_SEED_FILE).toBe('/secrets/nk');
  });
});
