import { z } from 'zod';

/** A number written in an environment variable. */
const whole = (minimum: number, maximum: number) => z.coerce.number().int().min(minimum).max(maximum);

/** Settings that every service has; a service's own schema is merged with these and may not redefine them. */
export const baseConfig = z.object({
  NODE_ENV: z.enum(['production', 'development', 'test']).default('development').describe('production refuses weak secrets.'),
  NATS_URL: z
    .string()
    .regex(/^(nats|tls|ws|wss):\/\/[^\s,]+(,(nats|tls|ws|wss):\/\/[^\s,]+)*$/, { error: 'must be one or more URLs nats://host:port, separated by commas' })
    .default('nats://127.0.0.1:4222')
    .describe('Servers of the NATS cluster, separated by commas.'),
  NATS_NKEY_SEED_FILE: z
    .string()
    .min(1)
    .optional()
    .describe('File with the nkey seed of this service, read at every connect; absent: connect without credentials.'),
  NATS_CREDS_FILE: z
    .string()
    .min(1)
    .optional()
    .describe('Instead of the seed: a `.creds` file (claims of a user, signed by its account, with its seed), read at every connect.'),
  NATS_CA_FILE: z
    .string()
    .min(1)
    .optional()
    .describe('PEM file with the authorities that the NATS servers must show a certificate of; set: nothing is said without TLS. Read at every connect.'),
  NATS_CERT_FILE: z.string().min(1).optional().describe('PEM file with a client certificate, where the NATS servers verify clients. Read at every connect.'),
  NATS_KEY_FILE: z.string().min(1).optional().describe('PEM file with the key of that certificate.'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info').describe('Lowest level that is logged.'),
  INTERNAL_HOST: z.string().min(1).default('127.0.0.1').describe('Address of the internal listener (/livez /readyz /metrics /info).'),
  INTERNAL_PORT: whole(0, 65_535).default(0).describe('Port of the internal listener; 0: any free one.'),
  SHUTDOWN_TIMEOUT_MS: whole(100, 600_000).default(25_000).describe('Hard limit around the whole shutdown.'),
  PROPAGATION_DELAY_MS: whole(0, 120_000)
    .default(0)
    .describe('How long to keep serving after readiness went away, so that load balancers notice. Counts towards the hard limit.'),
  PLEXUS_STATE_DIR: z.string().min(1).optional().describe('Folder for files that this process keeps.'),
  PLEXUS_SKIP_MODULES: z
    .string()
    .optional()
    .transform((value) =>
      value
        ?.split(',')
        .map((name) => name.trim())
        .filter((name) => name !== ''),
    )
    .describe('Names of parts to leave out, separated by commas; they show as degraded.'),
  PLEXUS_PARENT_BOUND: z
    .enum(['0', '1'])
    .default('0')
    .transform((value) => value === '1')
    .describe('1: shut down when the parent process closes the IPC channel.'),
});
export type BaseConfig = z.output<typeof baseConfig>;
