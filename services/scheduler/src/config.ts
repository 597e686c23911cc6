import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { providerSettings } from './adapters/provider-settings.js';

const flag = (description: string) =>
  z
    .enum(['0', '1'])
    .default('0')
    .transform((value) => value === '1')
    .describe(description);
const duration = (minimum: number, fallback: number, description: string) => z.coerce.number().int().min(minimum).default(fallback).describe(description);

/** The runtime beside this service, from the source as well as from the compiled file. */
function runtimeEntry(): string {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const service = path.basename(path.dirname(here)) === 'dist' ? path.resolve(here, '../..') : path.dirname(here);
  return path.resolve(service, '../runtime/dist/src/main.js');
}

/** Settings of the scheduler, beside those that every service has. */
export const schedulerConfig = z.object({
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, { error: 'must be a postgresql:// URL' })
    .describe('Postgres in which the scheduler keeps its schema.'),
  SCHEDULER_DATABASE_SCHEMA: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,62}$/, { error: 'must be a lower-case SQL identifier' })
    .default('scheduler')
    .describe('Postgres schema of the scheduler.'),
  SCHEDULER_DATABASE_CONNECTIONS: z.coerce.number().int().min(2).max(100).default(8).describe('Most connections of one replica.'),
  CONTROL_PLANE_WS: z
    .string()
    .regex(/^wss?:\/\/\S+$/, { error: 'must be a ws:// or wss:// URL' })
    .describe('Address of the gateway that runtimes connect to, for example ws://127.0.0.1:18789/ws/vm.'),
  VM_TOKEN_SECRET: z.string().optional().describe('Signs VM tokens. At least 32 bytes in production. Prefer the file.'),
  VM_TOKEN_SECRET_FILE: z.string().optional().describe('File with the same; wins over the variable.'),
  VM_TOKEN_SECRET_PREVIOUS_FILE: z.string().optional().describe('File with the secret that was used before: its tokens stay valid.'),
  PLEXUS_MASTER_KEY: z.string().optional().describe('Seals provider keys of users at rest. Prefer the file.'),
  PLEXUS_MASTER_KEY_FILE: z.string().optional().describe('File with the same; wins over the variable. Without either no provider keys are kept.'),
  PLEXUS_MASTER_KEY_PREVIOUS_FILE: z.string().optional().describe('File with the master key used before: what it sealed is sealed anew at the start.'),
  RUNTIME_ENTRY: z.string().min(1).default(runtimeEntry()).describe('Script of the runtime that the local provider starts with this Node.'),
  PLEXUS_CLUSTER: z
    .string()
    .regex(/^[A-Za-z0-9._:-]{1,128}$/, { error: 'must be 1..128 characters of letters, digits and . _ : -' })
    .optional()
    .describe('Marks the processes of this cluster on a machine that has several. Default: the id of the state folder.'),
  ...providerSettings.shape,
  ALLOW_UNSANDBOXED_LOCAL: flag('1: allow the local provider, which isolates nothing, with NODE_ENV=production.'),
  PLEXUS_EMBEDDED: flag('1: part of a mesh on one machine; the VMs are stopped with the scheduler.'),
  VM_PROVISION_MS: duration(1_000, 60_000, 'Longest time until the provider says that a VM runs.'),
  VM_BOOT_MS: duration(1_000, 30_000, 'Longest time from there to the first connection.'),
  VM_LEASE_MS: duration(1_000, 30_000, 'A VM that sends no heartbeat for so long is suspect.'),
  VM_SUSPECT_MS: duration(1_000, 30_000, 'A suspect VM is replaced after so long.'),
  VM_IDLE_MS: duration(1_000, 30 * 60_000, 'A VM without a run or a caller for so long is stopped; its workspace stays.'),
  VM_RETENTION_MS: duration(60_000, 7 * 24 * 3_600_000, 'A stopped VM that nobody asks for in so long is ended for good.'),
  VM_MAX_LIFE_MS: duration(60_000, 24 * 3_600_000, 'A VM older than this is stopped when it has no run, and drained when it has one for longer.'),
  VM_DRAIN_MS: duration(100, 120_000, 'Runs of a VM that is taken out of use may go on for so long.'),
  VM_PAUSE_MS: duration(100, 60_000, 'Longest wait for the snapshots of a VM that is paused.'),
  VM_WORKSPACE_RETENTION_MS: duration(1_000, 24 * 3_600_000, 'The workspace of a VM that was ended is removed after so long.'),
  VM_TOKEN_TTL_MS: duration(10_000, 15 * 60_000, 'How long the token of our own runtime is good; it is renewed while the runtime is connected.'),
  VM_MAX_PER_TENANT: z.coerce.number().int().min(0).max(1_000_000).default(1_000).describe('VMs of a tenant whose `limits.vms` is not set.'),
  VM_PLACEMENT: z.enum(['spread', 'pack']).default('spread').describe('Among several hosts: the emptiest, or the fullest that fits.'),
  VM_HOST_CAPACITY: z.coerce.number().int().min(1).max(100_000).optional().describe('VMs that fit on a host. Absent: no limit.'),
  SKILLS_MAX_PER_TENANT: z.coerce.number().int().min(0).max(100_000).default(500).describe('Versions of skills that a tenant may keep.'),
  MCP_ALLOW_PRIVATE_ADDRESSES: flag(
    '1: remote MCP servers may have private and link-local addresses. Only where tenants are trusted with the network of the scheduler.',
  ),
  MCP_MAX_CONNECTIONS_PER_TENANT: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(16)
    .describe('Remote MCP servers that one tenant talks to at the same time, for each replica.'),
  MCP_MAX_CALLS_PER_SERVER: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000)
    .default(8)
    .describe('Calls to one remote MCP server at the same time, for each tenant and replica.'),
  MCP_IDLE_MS: duration(1_000, 5 * 60_000, 'A connection to a remote MCP server that nobody uses is closed after so long.'),
  MCP_MAX_RESULT_BYTES: z.coerce
    .number()
    .int()
    .min(1_024)
    .max(768 * 1_024)
    .default(512 * 1_024)
    .describe('Longest answer of a remote MCP server.'),
  VM_TEMPLATES_FILE: z.string().optional().describe('JSON file with templates and warm pools.'),
  ALLOW_WEAK_FENCING: flag('1: accept lease and grace that let a successor start before its predecessor stops its tools. For tests.'),
  PLEXUS_MODEL_BASE_URL: z.string().optional().describe('OpenAI-compatible endpoint, passed on to runtimes.'),
  PLEXUS_MODEL: z.string().optional().describe('Model name, passed on to runtimes.'),
  PLEXUS_MODEL_API_KEY: z.string().optional().describe('Key of that endpoint; handed to runtimes on stdin, never in their environment.'),
  MODEL_SECRET_FOLDERS: z
    .string()
    .default('')
    .describe('Folders from which {file} references of model providers may be read, separated by commas. Empty: everywhere but in folders of Plexus itself.'),
  PATH: z.string().optional().describe('Passed on to runtimes.'),
  HOME: z.string().optional().describe('Passed on to runtimes.'),
  LANG: z.string().optional().describe('Passed on to runtimes.'),
  TZ: z.string().optional().describe('Passed on to runtimes.'),
});
export type SchedulerConfig = z.output<typeof schedulerConfig>;

/** All of our environment that a runtime may see. What is not listed here does not reach it. */
export function runtimeEnvironment(config: SchedulerConfig): Record<string, string> {
  const { PATH, HOME, LANG, TZ, PLEXUS_MODEL_BASE_URL, PLEXUS_MODEL } = config;
  const entries = Object.entries({ PATH, HOME, LANG, TZ, PLEXUS_MODEL_BASE_URL, PLEXUS_MODEL });
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** The variables that references of model providers may name; a snapshot of this process's own. */
export function secretVariables(): Readonly<Record<string, string | undefined>> {
  return { ...process.env };
}

/** Files and folders that hold secrets of Plexus itself. */
export function ownSecretFiles(
  config: SchedulerConfig & {
    readonly PLEXUS_STATE_DIR?: string | undefined;
    readonly NATS_NKEY_SEED_FILE?: string | undefined;
    readonly NATS_CREDS_FILE?: string | undefined;
    readonly NATS_KEY_FILE?: string | undefined;
  },
): string[] {
  const {
    PLEXUS_STATE_DIR,
    NATS_NKEY_SEED_FILE,
    NATS_CREDS_FILE,
    NATS_KEY_FILE,
    VM_TOKEN_SECRET_FILE,
    VM_TOKEN_SECRET_PREVIOUS_FILE,
    PLEXUS_MASTER_KEY_FILE,
    PLEXUS_MASTER_KEY_PREVIOUS_FILE,
  } = config;
  const own = [
    PLEXUS_STATE_DIR,
    NATS_NKEY_SEED_FILE,
    NATS_CREDS_FILE,
    NATS_KEY_FILE,
    VM_TOKEN_SECRET_FILE,
    VM_TOKEN_SECRET_PREVIOUS_FILE,
    PLEXUS_MASTER_KEY_FILE,
    PLEXUS_MASTER_KEY_PREVIOUS_FILE,
  ];
  return [...own, '/proc', '/sys', '/run/secrets/plexus', '/run/secrets/kubernetes.io'].filter((file) => file !== undefined);
}
