export { type Act, auditWriter } from './audit.js';
export { type ConfigEntry, ConfigRecord, decodeConfigEntry, encodeConfigEntry } from './config-store/config-entry.js';
export { readConfigHistory } from './config-store/config-history.js';
export { dropParts, loadParts, MAX_CONFIG_BYTES, storeParts } from './config-store/config-parts.js';
export { readConfigEntry } from './config-store/read-config-entry.js';
export { type BaseConfig, baseConfig } from './config/base-config.js';
export type { ConfigViolation } from './config/config-violation.js';
export { type Environment, loadConfig } from './config/load-config.js';
export { requireStrongSecret, type StrongSecretRules } from './config/require-strong-secret.js';
export type { CheckResult, ReadinessReport } from './health/readiness.js';
export type { Identity } from './identity/identity.js';
export { credentialRevocationKey, userRevocationKey } from './identity/revocations.js';
export { type TenantToken, verifyTenantToken } from './identity/tenant-token.js';
export { EXIT_CONFIGURATION, EXIT_RESTART, runService } from './lifecycle/run-service.js';
export type { ShutdownReport } from './lifecycle/shutdown-sequence.js';
export { type RunningService, type StartOptions, startService } from './lifecycle/start-service.js';
export { createLogger, type Logger, type LoggerOptions } from './log/create-logger.js';
export { LogTail } from './log/log-tail.js';
export { isSecretName, redact, scrubText } from './log/redact.js';
export { AnswerTooLargeError, type GuardedFetch, type GuardedFetchOptions, guardedFetch } from './net/guarded-fetch.js';
export { type AllowHost, allowedHosts, checkLiteral, guardedLookup, isPublicAddress, PrivateAddressError, publicLookup } from './net/public-address.js';
export { allowedVariables, isOwnVariable, readSecretFile, sealingKeys, type TenantSecretSources, tenantSecret } from './secrets/tenant-secrets.js';
export {
  CLOCK,
  SERVICE_CONTEXT,
  SHUTDOWN_PHASES,
  type ServiceConfig,
  type ServiceContext,
  type ServiceDefinition,
  type ServiceMetrics,
  type ServiceNeeds,
  type ServiceParts,
  type ShutdownBudget,
  type ShutdownPhase,
} from './service-context.js';
export type { ApplyConfig, ConfigUpdate } from './reload/reload-owner.js';
export type { Reload } from './reload/reloading.js';
export { MAX_REPORTED_TENANTS, ReplicaReport } from './reload/status-reporter.js';
export type { ConfigChange, ConfigSnapshot, TenantDirectory } from './tenants/tenant-directory.js';
