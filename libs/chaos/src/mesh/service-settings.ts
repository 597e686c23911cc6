/** Names of services in the order in which a careful operator starts them. */
export const CHAOS_SERVICES = ['routing', 'push', 'memory', 'scheduler', 'gateway'] as const;
export type ChaosService = (typeof CHAOS_SERVICES)[number];

export interface SettingsInput {
  readonly stateDir: string;
  readonly clusterId: string;
  readonly natsUrls: readonly string[];
  readonly seedFile: string;
  readonly databaseUrl: string | undefined;
  readonly memoryUrl: string;
  readonly gatewayPort: number | undefined;
  readonly files: { readonly token: string; readonly masterKey: string; readonly vmTokenSecret: string };
  readonly vmGateway: string;
  readonly modelUrl: string;
  /** Lease times are multiplied by this: a small machine pauses for longer than a lease of production forgives. */
  readonly slow: number;
  readonly logLevel: string;
}

/** The complete environment of one replica. */
export function settingsOf(service: ChaosService, input: SettingsInput): Record<string, string> {
  const ms = (base: number): string => String(Math.round(base * input.slow));
  return {
    ...inherited(),
    NODE_ENV: 'development',
    NATS_URL: input.natsUrls.join(','),
    NATS_NKEY_SEED_FILE: input.seedFile,
    OTEL_SERVICE_NAME: service,
    PLEXUS_STATE_DIR: input.stateDir,
    PLEXUS_CLUSTER: input.clusterId,
    PLEXUS_PARENT_BOUND: '1',
    PROPAGATION_DELAY_MS: '0',
    SHUTDOWN_TIMEOUT_MS: ms(5_000),
    INTERNAL_PORT: '0',
    MALLOC_ARENA_MAX: '2',
    LOG_LEVEL: input.logLevel,
    ...own(service, input, ms),
  };
}

function own(service: ChaosService, input: SettingsInput, ms: (base: number) => string): Record<string, string> {
  const { databaseUrl = '', files } = input;
  switch (service) {
    case 'gateway':
      return { GATEWAY_PORT: String(input.gatewayPort), GATEWAY_TOKEN_FILE: files.token, GATEWAY_MAX_UNAUTHENTICATED: '2000', GATEWAY_TICK_MS: '5000' };
    case 'routing':
      return { DATABASE_URL: databaseUrl };
    case 'push':
      return { DATABASE_URL: databaseUrl, PUSH_LEASE_MS: ms(10_000), PUSH_RENEW_MS: ms(3_000), PLEXUS_MASTER_KEY_FILE: files.masterKey };
    case 'memory':
      return { MEMORY_DATABASE_URL: input.memoryUrl, MEMORY_MIGRATE: '1', PLEXUS_MASTER_KEY_FILE: files.masterKey };
    case 'scheduler':
      return {
        DATABASE_URL: databaseUrl,
        CONTROL_PLANE_WS: input.vmGateway,
        VM_TOKEN_SECRET_FILE: files.vmTokenSecret,
        PLEXUS_MASTER_KEY_FILE: files.masterKey,
        VM_LEASE_MS: ms(30_000),
        VM_SUSPECT_MS: ms(30_000),
        VM_BOOT_MS: ms(30_000),
        PLEXUS_MODEL_BASE_URL: input.modelUrl,
        PLEXUS_MODEL: 'scripted',
      };
  }
}

/** Settings of the person at the keyboard must not change what a run sees. */
function inherited(): Record<string, string> {
  const names = ['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR'];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name] as string]])));
}
