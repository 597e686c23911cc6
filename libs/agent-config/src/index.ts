export { type ConfigIssue, issuesOf, sortIssues } from './issue.js';
export { type FileAccess, type FileFacts, nodeFiles } from './load/file-access.js';
export { type LoadedConfig, type LoadOptions, loadConfigFile, MAX_FILE_BYTES, MAX_INCLUDE_DEPTH } from './load/load-config.js';
export { mergeIncludes } from './load/merge.js';
export { applyPatch, diffPatch, mergePatch, type StalePatch } from './load/merge-patch.js';
export { missingReferences, type ReferenceUse, referencesIn, referenceVariables, resolveReferences, type Variables } from './load/references.js';
export { parsePlatformConfig, parseTenantConfig } from './parse.js';
export { referencePage } from './reference-page.js';
export { configHash, diffPaths, ROOT_PATH } from './reload/diff-paths.js';
export { type PlannedAction, planReload, type ReloadPlan, ruleFor } from './reload/plan-reload.js';
export { type Ownership, PENDING_ACTIONS, PERFORMED } from './reload/ownership.js';
export { RELOAD_RULES, type ReloadOwner, type ReloadRule } from './reload/reload-rules.js';
export { DEFAULT_RELOAD, type ReloadSettings, reloadSettings } from './reload/reload-settings.js';
export { type DirectoryOptions, resolveAgentDir, resolveWorkspace, type SharedDirectory, sharedAgentDirs, withLinksResolved } from './resolve/agent-dirs.js';
export { type AgentRunSettings, resolveMcpServers, resolveRunSettings, resolveSkills } from './resolve/agent-settings.js';
export { defaultAgentId, findAgent, namedAgentIds } from './resolve/agents.js';
export { type Avatar, type AvatarFault, type AvatarOptions, checkAvatar, MAX_AVATAR_BYTES, readAvatar } from './resolve/avatar.js';
export { type BindingConflict, bindingConflicts, bindingKey } from './resolve/binding-conflicts.js';
export { type ChannelAccount, channelAccounts, defaultAccountOf } from './resolve/channel-accounts.js';
export { type Lanes, resolveLanes } from './resolve/lanes.js';
export { resolveLimits } from './resolve/limits.js';
export { lookUpModel, type ModelChoice, type ResolvedModel, resolveModel, resolveSystemPrompt } from './resolve/models.js';
export { type ResolvedQueue, resolveQueue } from './resolve/queue.js';
export {
  DEFAULT_PRUNE,
  ownerKeyOf,
  PRUNE_SWEEP_INTERVAL_MS,
  RECENTLY_USED_MS,
  type ResolvedDocker,
  type ResolvedPrune,
  type ResolvedSandbox,
  recreateDecision,
  resolveSandbox,
  type SandboxUse,
  sandboxHash,
  shouldPrune,
} from './resolve/sandbox.js';
export { type SessionPlace, type SessionReach, sessionReach } from './resolve/session-reach.js';
export { type AgentSchedule, nextDue, schedulesOf } from './resolve/schedules.js';
export { CORE_TOOLS, expandToolNames, normaliseToolName, TOOL_GROUPS, TOOL_PROFILES } from './resolve/tool-names.js';
export { resolveToolPolicy, type ToolExplanation, type ToolPolicy, type ToolPolicyOptions, type ToolVerdict, toolRules } from './resolve/tool-policy.js';
export { AgentConfig, AgentDefaults, AgentsConfig, IdentityConfig } from './schema/agents-config.js';
export { BindingConfig } from './schema/binding-config.js';
export { BUILT_IN_CHANNELS, ChannelAccountConfig, ChannelConfig, ChannelsConfig, DmPolicy, GroupPolicy } from './schema/channels-config.js';
export { isPlainValue, McpConfig, McpServerConfig, type McpValue } from './schema/mcp-config.js';
export { AgentModelsConfig, ModelDescription, ModelProvider, ModelsConfig } from './schema/models-config.js';
export { PlatformConfig, type PlatformConfigInput, TenantDeclaration, TenantLimits, TokenReference } from './schema/platform-config.js';
export { PublicJwk } from './schema/public-jwk.js';
export { TokenIssuer } from './schema/token-issuer.js';
export { PushChannelsConfig, PushConfig, PushLlmConfig } from './schema/push-config.js';
export { QueueConfig, QueueMode } from './schema/queue-config.js';
export { BrowserConfig, DockerConfig, PruneConfig, SandboxConfig, SandboxScope } from './schema/sandbox-config.js';
export { isCronPattern, isTimeZone } from './schema/cron-pattern.js';
export { CronJobConfig, HeartbeatConfig } from './schema/schedules-config.js';
export { GatewayConfig, HooksConfig, LanesConfig, MetaConfig, PluginsConfig, RetentionConfig } from './schema/service-config.js';
export { SessionConfig } from './schema/session-config.js';
export { TenantConfig, type TenantConfigInput } from './schema/tenant-config.js';
export { AgentToolsConfig, ToolsConfig } from './schema/tools-config.js';
export { resolveSecret, type SecretFault, type SecretSources } from './secrets/resolve-secret.js';
export { type MasterKey, type MasterKeys, needsReseal, openSecret, parseMasterKey, resealSecret, type SealFault, sealSecret } from './secrets/seal.js';
export { isSecretName, looksSecret } from './secrets/secret-names.js';
export { isSecretRef, referenceName, SecretRef } from './secrets/secret-ref.js';
export { type IdleSetting, NOT_ACTED_ON } from './validate/not-acted-on.js';
export type { ChannelDeclaration, PluginDeclaration } from './validate/plugin-declaration.js';
export { redactSecrets, redactValue } from './validate/quote-value.js';
export { type Validation, type ValidateOptions, validateTenantConfig } from './validate/validate.js';
