export { type ConfigIssue, issuesOf } from './issue.js';
export { parsePlatformConfig, parseTenantConfig } from './parse.js';
export { PlatformConfig, type PlatformConfigInput, TenantDeclaration, TenantLimits, TokenReference } from './schema/platform-config.js';
export { PublicJwk } from './schema/public-jwk.js';
export { AgentConfig, AgentDefaults, AgentsConfig, IdentityConfig } from './schema/agents-config.js';
export { BindingConfig } from './schema/binding-config.js';
export { SandboxScope } from './schema/sandbox-config.js';
export { SessionConfig } from './schema/session-config.js';
export { TenantConfig, type TenantConfigInput } from './schema/tenant-config.js';
