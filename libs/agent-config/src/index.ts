export { type ConfigIssue, issuesOf } from './issue.js';
export { parsePlatformConfig, parseTenantConfig } from './parse.js';
export { PlatformConfig, type PlatformConfigInput, TenantDeclaration, TenantLimits, TokenReference } from './platform-config.js';
export { PublicJwk } from './public-jwk.js';
export { AgentConfig, BindingConfig, SandboxScope, SessionConfig, TenantConfig, type TenantConfigInput } from './tenant-config.js';
