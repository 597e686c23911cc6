import type { FileAccess } from '../load/file-access.js';
import { brokenReferences } from '../load/references.js';
import { type ConfigIssue, sortIssues } from '../issue.js';
import { deepFreeze } from '../parse.js';
import { resolveWorkspace, sharedAgentDirs } from '../resolve/agent-dirs.js';
import { checkAvatar } from '../resolve/avatar.js';
import { TenantConfig } from '../schema/tenant-config.js';
import { applyDefaults, doubtsAbout } from './apply-defaults.js';
import { describeIssue } from './describe-issue.js';
import { documentProblem } from './document-shape.js';
import { legacyKeys } from './legacy-keys.js';
import { pluginChecks } from './plugin-checks.js';
import type { ChannelDeclaration, PluginDeclaration } from './plugin-declaration.js';
import { quoteValue } from './quote-value.js';

/** What the checks may look at. */
export interface ValidateOptions {
  /** Plugins that are installed. */
  readonly plugins?: readonly PluginDeclaration[];
  /** Adapters beyond the built-in ones, and the settings that adapters take. */
  readonly channels?: Readonly<Record<string, ChannelDeclaration>>;
  /** State folder, for folders of agents that are not configured. */
  readonly stateDir?: string;
  /** What `~` stands for. */
  readonly home?: string;
  /** Given: links of folders are resolved and avatar files are looked at. Leave it out where the folders are not on this machine. */
  readonly fileSystem?: FileAccess;
}

export interface Validation {
  /** The document with its defaults, frozen; absent when there are issues. */
  readonly config?: TenantConfig;
  /** Everything that the first stage with a fault found, in a stable order. */
  readonly issues: readonly ConfigIssue[];
  /** What is legal and still worth a word. Never blocks. */
  readonly warnings: readonly ConfigIssue[];
}

/**
 * Checks the document of one tenant, stage by stage: keys that have moved, the schema, folders that two agents share, avatars,
 * defaults, plugins and channels. The first stage that finds something ends the check and reports all it found. Never throws.
 */
export function validateTenantConfig(document: unknown, options: ValidateOptions = {}): Validation {
  const refused = (found: readonly ConfigIssue[]): Validation => ({ issues: sortIssues(found), warnings: [] });
  const shape = documentProblem(document);
  if (shape !== undefined) return refused([shape]);
  const legacy = legacyKeys(document).map((issue) => ({ ...issue, value: quoteValue(document, issue.path.split('.')) }));
  if (legacy.length > 0) return refused(legacy);

  const parsed = TenantConfig.safeParse(document);
  const broken = brokenReferences(document);
  if (!parsed.success) return refused([...parsed.error.issues.flatMap((issue) => describeIssue(issue, document)), ...broken]);
  if (broken.length > 0) return refused(broken);

  const stages = [directoryIssues, avatarIssues];
  for (const stage of stages) {
    const found = stage(parsed.data, options);
    if (found.length > 0) return refused(found);
  }
  const config = applyDefaults(parsed.data);
  const { issues, warnings } = pluginChecks(config, { plugins: options.plugins ?? [], channels: options.channels ?? {} });
  if (issues.length > 0) return refused(issues);
  return { config: deepFreeze(config), issues: [], warnings: sortIssues([...doubtsAbout(parsed.data), ...warnings]) };
}

const DEFAULT_STATE_DIR = '/var/lib/plexus';

function directoryIssues(config: TenantConfig, { stateDir = DEFAULT_STATE_DIR, home, fileSystem }: ValidateOptions): ConfigIssue[] {
  const shared = sharedAgentDirs(config, { stateDir, ...(home !== undefined && { home }), ...(fileSystem !== undefined && { files: fileSystem }) });
  return shared.map(({ agentIds, directory }) => {
    const last = config.agents.list.findLastIndex((agent) => agentIds.includes(agent.id) && agent.agentDir);
    const names = agentIds.map((id) => JSON.stringify(id)).join(' and ');
    return {
      path: last < 0 ? 'agents.list' : `agents.list.${last}.agentDir`,
      code: 'duplicate_agent_dir',
      message: `the agents ${names} share the folder ${directory}`,
      value: directory,
      fix: 'give each agent a folder of its own, or leave agentDir out',
    };
  });
}

function avatarIssues(config: TenantConfig, { stateDir = DEFAULT_STATE_DIR, home, fileSystem }: ValidateOptions): ConfigIssue[] {
  return config.agents.list.flatMap((agent, index) => {
    const workspace = resolveWorkspace(config, agent.id, { stateDir, ...(home !== undefined && { home }) });
    const checked = checkAvatar(agent.identity?.avatar, { workspace, ...(fileSystem !== undefined && { files: fileSystem }) });
    if (checked.ok) return [];
    const path = ['agents', 'list', index, 'identity', 'avatar'];
    return [{ path: path.join('.'), ...checked.error, value: quoteValue(config, path) }];
  });
}
