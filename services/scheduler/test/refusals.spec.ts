import { systemClock } from '@plexus/kernel';
import { loadConfig, type ServiceConfig, type ServiceContext } from '@plexus/service-kit';
import { schedulerConfig } from '../src/config.js';
import { createScheduler } from '../src/scheduler.module.js';
import { SECRET } from './support/mesh.js';

type Context = ServiceContext<ServiceConfig<typeof schedulerConfig>>;

const USUAL = {
  NATS_URL: 'nats://127.0.0.1:1',
  DATABASE_URL: 'postgresql://127.0.0.1:1/none',
  PLEXUS_STATE_DIR: '/nonexistent',
  CONTROL_PLANE_WS: 'ws://127.0.0.1:1/ws/vm',
  RUNTIME_ENTRY: '/nonexistent/runtime.js',
  VM_TOKEN_SECRET: SECRET,
};

describe('a scheduler', () => {
  const endings: (() => unknown)[] = [];
  const created = async (environment: Record<string, string>): Promise<unknown> => {
    const config = loadConfig(schedulerConfig, { ...USUAL, ...environment });
    if (!config.ok) throw new TypeError(JSON.stringify(config.error));
    const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const onShutdown = (_phase: string, _label: string, end: () => unknown): unknown => endings.push(end);
    // What it refuses is refused before it touches the mesh or the database: neither is there.
    return createScheduler({
      config: config.value,
      log: quiet,
      clock: systemClock,
      bus: {},
      tenants: {},
      instanceId: 'spec',
      onShutdown,
    } as unknown as Context);
  };

  afterEach(async () => {
    for (const end of endings.splice(0)) await end();
  });

  it.each<[Record<string, string>, string]>([
    [{ NODE_ENV: 'production', ALLOW_UNSANDBOXED_LOCAL: '1', VM_TOKEN_SECRET: '' }, 'VM_TOKEN_SECRET is not set'],
    [{ NODE_ENV: 'production', ALLOW_UNSANDBOXED_LOCAL: '1', VM_TOKEN_SECRET: 'short' }, 'at least 32'],
    [{ NODE_ENV: 'production', ALLOW_UNSANDBOXED_LOCAL: '1', VM_TOKEN_SECRET: 'development-secret-change-in-production' }, 'VM_TOKEN_SECRET'],
    [{ NODE_ENV: 'production' }, 'ALLOW_UNSANDBOXED_LOCAL'],
    [{ VM_LEASE_MS: '5000' }, 'must exceed 55000 ms'],
  ])(
    'finding 16: refuses to start without a secret of its own, without a sandbox in production, and with a fence that does not hold: %j',
    async (environment, sentence) => {
      await expect(created(environment)).rejects.toThrow(sentence);
    },
  );
});
