import { ConfigurationError, type JsonProblem, parseJson } from '@plexus/kernel';
import { Settings } from './settings.js';

export interface RuntimeConfig {
  readonly userId: string;
  readonly vmId: string;
  readonly epoch: number;
  readonly gatewayUrl: string;
  readonly workdir: string;
  /** Commands are synced to the disk before they are acked. */
  readonly syncCommands: boolean;
  /** The folder of a session that was stopped is kept for so long. */
  readonly sessionRetentionMs: number;
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
const MAX_BYTES = 65_536;
const DAY_MS = 24 * 3_600_000;

function forTools(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((one): one is [string, string] => one[1] !== undefined && !OWN.test(one[0])));
}

/** Reads environment and first stdin line. Throws `ConfigurationError` that names every missing or wrong value at once, and quotes none. */
export function readConfig(env: NodeJS.ProcessEnv, firstLine: string): RuntimeConfig {
  const problems: string[] = [];
  const environment = fromEnvironment(env, problems);
  const secrets = fromFirstLine(firstLine, problems);
  if (problems.length > 0 || secrets === undefined) throw new ConfigurationError(`the runtime cannot start:\n  ${problems.join('\n  ')}`);
  const { modelUrl, modelName, ...rest } = environment;
  const { modelApiKey, ...others } = secrets;
  return Object.freeze({
    ...rest,
    ...others,
    model: Object.freeze({ baseUrl: modelUrl, model: modelName, apiKey: modelApiKey || undefined }),
    toolEnvironment: Object.freeze(forTools(env)),
  });
}

function fromEnvironment(env: NodeJS.ProcessEnv, problems: string[]) {
  // An empty variable is an unset one: shells and process managers pass them on like that.
  const settings = new Settings(Object.fromEntries(Object.entries(env).filter(([, value]) => value !== '')), '', problems);
  const bridge = settings.optionalText('OPENCLAW_BRIDGE_COMMAND', MAX_BYTES);
  const bridgeCommand = bridge === undefined ? undefined : commandOf(bridge);
  if (bridge !== undefined && bridgeCommand === undefined) settings.refuse('OPENCLAW_BRIDGE_COMMAND', 'expected a JSON array of a program and its arguments');
  return {
    userId: settings.text('VM_USER_ID', 256),
    vmId: settings.text('VM_ID', 64),
    epoch: settings.positiveInteger('VM_EPOCH'),
    gatewayUrl: settings.url('CONTROL_PLANE_WS', ['ws:', 'wss:']),
    workdir: settings.text('PLEXUS_WORKDIR', 4_096),
    modelUrl: settings.optionalText('PLEXUS_MODEL_BASE_URL', 8_192),
    modelName: settings.optionalText('PLEXUS_MODEL', 8_192),
    // `commands`: a command is acked when the disk has it, not only the kernel. Costs a disk write for each.
    syncCommands: settings.choice('PLEXUS_JOURNAL_SYNC', ['off', 'commands']) === 'commands',
    sessionRetentionMs: settings.optionalInteger('PLEXUS_SESSION_RETENTION_MS') ?? DAY_MS,
    logLevel: settings.choice('LOG_LEVEL', ['info', 'debug', 'warn', 'error']),
    ...(bridgeCommand && { bridgeCommand: Object.freeze(bridgeCommand) }),
  };
}

/** Secrets come on stdin only: argv and environment of a process can be read by others. */
function fromFirstLine(line: string, problems: string[]) {
  const json = parseJson(line, { maxBytes: MAX_BYTES });
  if (!json.ok || json.value === null || typeof json.value !== 'object') {
    problems.push(`first line of stdin: ${json.ok ? 'not an object' : problemText(json.error)}`);
    return undefined;
  }
  const settings = new Settings(json.value as Readonly<Record<string, unknown>>, 'first line of stdin: ', problems);
  return {
    ticket: settings.text('ticket', 256),
    token: settings.text('token', 8_192),
    bootstrapSecret: settings.text('bootstrapSecret', 256),
    modelApiKey: settings.optionalText('modelApiKey', 8_192),
    // `die`: end when stdin is closed, that is, when whoever started us is gone.
    orphanPolicy: settings.choice('orphanPolicy', ['adopt', 'die']),
  };
}

function commandOf(text: string): string[] | undefined {
  const json = parseJson(text, { maxBytes: MAX_BYTES });
  if (!json.ok || !Array.isArray(json.value) || json.value.length === 0) return undefined;
  const parts: unknown[] = json.value;
  return parts.every((part): part is string => typeof part === 'string' && part !== '') ? parts : undefined;
}

function problemText(problem: JsonProblem): string {
  return `${problem.message}; expected {"ticket":…,"token":…,"bootstrapSecret":…}`;
}
