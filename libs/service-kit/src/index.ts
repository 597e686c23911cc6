import type { z } from 'zod';
import type { ServiceDefinition } from './service-context.js';

export { type BaseConfig, baseConfig } from './base-config.js';
export type { Identity } from './identity/identity.js';
export {
  CLOCK,
  SERVICE_CONTEXT,
  type ServiceConfig,
  type ServiceContext,
  type ServiceDefinition,
  type ServiceMetrics,
  type ServiceNeeds,
  type ServiceParts,
  SHUTDOWN_PHASES,
  type ShutdownBudget,
  type ShutdownPhase,
} from './service-context.js';
export type { ConfigChange, TenantDirectory } from './tenant-directory.js';

/** Starts a service and ends the process with it; see the README. */
export declare function runService<Schema extends z.ZodObject>(definition: ServiceDefinition<Schema>): Promise<void>;
/** A secret fit for production; throws a ConfigurationError that names `name` otherwise. */
export declare function requireStrongSecret(value: string | undefined, rules: { name: string; minBytes: number; env: string }): string;
