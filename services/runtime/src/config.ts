import { ConfigurationError, type JsonProblem, parseJson } from '@plexus/kernel';
import { z } from 'zod';

const Command = z
  .string()
  .transform((text) => {
    const json = parseJson(text, { maxBytes: 65_536 });
    return json.ok ? json.value : undefined;
  })
  .pipe(z.array(z.string().min(1)).min(1));

const Environment = z.object({
  VM_USER_ID: z.string().min(1).max(256).describe('The user whose VM this is: the one name for the user, everywhere.'),
  VM_ID: z.string().min(1).max(64).describe('The VM; it keeps its id over all incarnations.'),
  VM_EPOCH: z.coerce.number().int().min(1).describe('Fencing number of this incarnation.'),
  CONTROL_PLANE_WS: z.url({ protocol: /^wss?$/ }).describe('WebSocket address of the gateway, with its path: ws://host:port/ws/vm.'),
  PLEXUS_WORKDIR: z.string().min(1).describe('Folder of this VM. The journal is in its subfolder `runtime`.'),
  PLEXUS_MODEL_BASE_URL: z.string().optional().describe('OpenAI-compatible endpoint, up to and without /chat/completions.'),
  PLEXUS_MODEL: z.string().optional().describe('Model to ask where neither agent nor message names one.'),
  OPENCLAW_BRIDGE_COMMAND: z
    .string()
    .optional()
    .transform((text, context) => {
      const command = text === undefined ? undefined : Command.safeParse(text);
      if (command && !command.success) context.addIssue({ code: 'custom', message: 'expected a JSON array of a program and its arguments' });
      return command?.data;
    })
    .describe('Program and arguments of the bridge for sessions of kind openclaw, as a JSON array. Absent: the bridge that drives OpenClaw.'),
  PLEXUS_JOURNAL_SYNC: z
    .enum(['off', 'commands'])
    .default('off')
    .describe('`commands`: a command is acked when the disk has it, not only the kernel. Costs a disk write for each.'),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least important level that is logged.'),
});

/** Secrets come on stdin only: argv and environment of a process can be read by others. */
const Bootstrap = z.object({
  ticket: z.string().min(1).max(256).describe('One-time, for the first connection.'),
  token: z.string().min(1).max(8_192).describe('Authenticates every connection.'),
  bootstrapSecret: z.string().min(1).max(256).describe('Opens sealed provider keys.'),
  modelApiKey: z.string().max(8_192).optional().describe('Key for the model endpoint.'),
  orphanPolicy: z.enum(['adopt', 'die']).default('adopt').describe('`die`: end when stdin is closed, that is, when whoever started us is gone.'),
});

export interface RuntimeConfig {
  readonly userId: string;
  readonly vmId: string;
  readonly epoch: number;
  readonly gatewayUrl: string;
  readonly workdir: string;
  /** Commands are synced to the disk before they are acked. */
  readonly syncCommands: boolean;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly model: { readonly baseUrl?: string; readonly model?: string; readonly apiKey?: string };
  readonly ticket: string;
  readonly token: string;
  /** Opens what the mesh sealed for this incarnation. */
  readonly bootstrapSecret: string;
  readonly orphanPolicy: 'adopt' | 'die';
  /** What programs that tools start see of the environment: everything but what is the runtime's own. */
  readonly toolEnvironment: Readonly<Record<string, string>>;
  /** Program and arguments of the bridge for sessions of kind openclaw, when it is not the one that comes along. */
  readonly bridgeCommand?: readonly string[];
}

/** Names of the runtime's own variables. */
const OWN = /^(VM_|PLEXUS_|CONTROL_PLANE_|NODE_OPTIONS$|NODE_CHANNEL_)/;

function forTools(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((one): one is [string, string] => one[1] !== undefined && !OWN.test(one[0])));
}

function violations(error: z.ZodError, prefix: string): string[] {
  return error.issues.map((issue) => `${prefix}${issue.path.join('.') || 'line'}: ${issue.message}`);
}

/** Reads environment and first stdin line. Throws `ConfigurationError` that names every missing or wrong value at once, and quotes none. */
export function readConfig(env: NodeJS.ProcessEnv, firstLine: string): RuntimeConfig {
  // An empty variable is an unset one: shells and process managers pass them on like that.
  const environment = Environment.safeParse(Object.fromEntries(Object.entries(env).filter(([, value]) => value !== '')));
  const json = parseJson(firstLine, { maxBytes: 65_536 });
  const bootstrap = json.ok ? Bootstrap.safeParse(json.value) : undefined;
  if (environment.success && bootstrap?.success) {
    const { data } = environment;
    const { ticket, token, bootstrapSecret, orphanPolicy, modelApiKey } = bootstrap.data;
    return Object.freeze({
      userId: data.VM_USER_ID,
      vmId: data.VM_ID,
      epoch: data.VM_EPOCH,
      gatewayUrl: data.CONTROL_PLANE_WS,
      workdir: data.PLEXUS_WORKDIR,
      syncCommands: data.PLEXUS_JOURNAL_SYNC === 'commands',
      logLevel: data.LOG_LEVEL,
      model: Object.freeze({ baseUrl: data.PLEXUS_MODEL_BASE_URL, model: data.PLEXUS_MODEL, apiKey: modelApiKey || undefined }),
      ticket,
      token,
      bootstrapSecret,
      orphanPolicy,
      toolEnvironment: Object.freeze(forTools(env)),
      ...(data.OPENCLAW_BRIDGE_COMMAND && { bridgeCommand: Object.freeze(data.OPENCLAW_BRIDGE_COMMAND) }),
    });
  }
  const found = environment.success ? [] : violations(environment.error, '');
  if (!json.ok) found.push(`first line of stdin: ${problemText(json.error)}`);
  else if (bootstrap && !bootstrap.success) found.push(...violations(bootstrap.error, 'first line of stdin: '));
  throw new ConfigurationError(`the runtime cannot start:\n  ${found.join('\n  ')}`);
}

function problemText(problem: JsonProblem): string {
  return `${problem.message}; expected {"ticket":…,"token":…,"bootstrapSecret":…}`;
}
