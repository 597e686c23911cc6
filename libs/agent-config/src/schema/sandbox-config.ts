import { z } from 'zod';
import { Milliseconds, Names, Text } from './names.js';

/** Who shares one VM: everybody of the tenant, one agent, one session, or one user (the default). */
export const SandboxScope = z.enum(['user', 'session', 'agent', 'shared']);
export type SandboxScope = z.infer<typeof SandboxScope>;

const Limit = z.union([
  z.number().int().min(0),
  z.strictObject({
    soft: z.number().int().min(0).optional().describe('Limit that a process may raise up to the hard one.'),
    hard: z.number().int().min(0).optional().describe('Limit that nobody inside can raise.'),
  }),
]);

/** Settings of the container behind a sandbox. Lists replace, maps merge by key, binds concatenate (global first). */
export const DockerConfig = z.strictObject({
  image: Text(512).optional().describe('Image to start. Absent: the image of the provider.'),
  network: Text(128).optional().meta({ description: 'Network of the container.', default: 'none' }),
  readOnlyRoot: z.boolean().optional().meta({ description: 'The root file system cannot be written.', default: true }),
  tmpfs: Names(32)
    .optional()
    .meta({ description: 'Folders kept in memory.', default: ['/tmp', '/var/tmp', '/run'] }),
  capDrop: Names(64)
    .optional()
    .meta({ description: 'Capabilities that are dropped.', default: ['ALL'] }),
  noNewPrivileges: z.boolean().optional().meta({ description: 'A process cannot gain privileges, by setuid for example.', default: true }),
  user: Text(128).optional().describe('User and group inside, `1000:1000`. Absent: as the image says.'),
  workdir: Text(4_096).optional().meta({ description: 'Working folder inside.', default: '/workspace' }),
  memory: Text(32).optional().describe('Memory limit, `512m`. Absent: none.'),
  cpus: z.number().positive().max(1_024).optional().describe('CPU limit in cores. Absent: none.'),
  pidsLimit: z.number().int().min(1).max(4_194_304).optional().describe('Processes and threads at once. Absent: none.'),
  env: z
    .record(z.string().min(1).max(128), z.string().max(32_768))
    .optional()
    .meta({ description: 'Variables of the container; the value of the agent wins for each name. Not for secrets.', default: { LANG: 'C.UTF-8' } }),
  ulimits: z.record(z.string().min(1).max(32), Limit).optional().describe('Resource limits by name; the value of the agent wins for each name.'),
  binds: Names(64).optional().describe('Mounts `host:container[:ro]`, global ones first, then those of the agent.'),
  setupCommand: z.string().max(32_768).optional().describe('Runs once after the container was created.'),
});
export type DockerConfig = z.infer<typeof DockerConfig>;

export const BrowserConfig = z.strictObject({
  enabled: z.boolean().optional().meta({ description: 'A browser runs beside the sandbox.', default: false }),
  headless: z.boolean().optional().meta({ description: 'Without a display.', default: true }),
  image: Text(512).optional().describe('Image of the browser. Absent: the image of the provider.'),
});
export type BrowserConfig = z.infer<typeof BrowserConfig>;

export const PruneConfig = z.strictObject({
  idleMs: Milliseconds.optional().describe(
    'Idle for longer than this: the VM is paused. 0: never. Absent: as its template says, else VM_IDLE_MS of the scheduler, 30 minutes.',
  ),
  maxAgeMs: Milliseconds.optional().describe('Paused for longer than this: the VM is removed. 0: never. Absent: VM_RETENTION_MS of the scheduler, 7 days.'),
});
export type PruneConfig = z.infer<typeof PruneConfig>;

/** Isolation of agents. Every field is resolved alone: the agent's value, else that of `agents.defaults`, else the default. */
export const SandboxConfig = z.strictObject({
  mode: z.enum(['off', 'non-main', 'all']).optional().meta({ description: 'Which sessions run tools in a container.', default: 'off' }),
  scope: SandboxScope.optional().meta({ description: 'Who shares one VM.', default: 'user' }),
  perSession: z
    .boolean()
    .optional()
    .describe('Older spelling: true is scope `session`, false is `shared`. Ignored where a scope is set, globally or for the agent.'),
  workspaceAccess: z.enum(['none', 'ro', 'rw']).optional().meta({ description: "Access to the agent's workspace from inside.", default: 'none' }),
  docker: DockerConfig.optional().describe('The container. Overrides of an agent are ignored in scope `shared`.'),
  browser: BrowserConfig.optional().describe('The browser. Overrides of an agent are ignored in scope `shared`.'),
  prune: PruneConfig.optional().describe('When a sandbox that nobody uses goes. Overrides of an agent are ignored in scope `shared`.'),
});
export type SandboxConfig = z.infer<typeof SandboxConfig>;
