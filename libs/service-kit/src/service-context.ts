import type { DynamicModule, INestMicroservice, Type } from '@nestjs/common';
import type { Bus } from '@plexus/bus';
import type { BucketDefinition, ConsumerDefinition } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import type { counter, gauge, histogram, observe } from '@plexus/telemetry';
import type { Logger } from 'pino';
import type { z } from 'zod';
import type { BaseConfig } from './config/base-config.js';
import type { ReadinessCheck } from './health/readiness.js';
import type { LogTail } from './log/log-tail.js';
import type { Identity } from './identity/identity.js';
import type { Reload } from './reload/reloading.js';
import type { TenantDirectory } from './tenants/tenant-directory.js';

/** Order in which a service stops; everything registered for one phase runs at the same time. */
export const SHUTDOWN_PHASES = ['listeners', 'sockets', 'consumers', 'bus', 'database', 'telemetry'] as const;
export type ShutdownPhase = (typeof SHUTDOWN_PHASES)[number];

/** Given to every shutdown hook: `signal` aborts when the time of its phase is over. */
export interface ShutdownBudget {
  readonly signal: AbortSignal;
  remainingMs(): number;
}

/** Catalogued instruments; see METRIC_CATALOGUE. */
export interface ServiceMetrics {
  readonly counter: typeof counter;
  readonly gauge: typeof gauge;
  readonly histogram: typeof histogram;
  readonly observe: typeof observe;
}

/** What a service gets from the kit; everything it touches comes in through here. */
export interface ServiceContext<Config = BaseConfig> {
  readonly name: string;
  readonly version: string;
  /** Unique per process, `<name>-<ulid>`. */
  readonly instanceId: string;
  readonly config: Readonly<Config>;
  readonly log: Logger;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly identity: Identity;
  readonly tenants: TenantDirectory;
  /** Parts that run with the configuration, and work that a planned restart waits for. */
  readonly reload: Reload;
  readonly metrics: ServiceMetrics;
  /** Registers work for one phase of the shutdown. A failing hook is logged and does not stop the others. */
  onShutdown(phase: ShutdownPhase, label: string, fn: (budget: ShutdownBudget) => Promise<void> | void): void;
  /** Adds a readiness check: `true`, or the reason (or `false`) why the service cannot work now. A check that throws or takes longer than 2 s counts as not ready. */
  readiness(name: string, check: ReadinessCheck): void;
  /** Adds numbers to what this replica says of itself when somebody looks at the mesh, for example `{ clients: 12 }`. Asked often: they must be at hand. */
  vitals(numbers: () => Readonly<Record<string, number>>): void;
}

/** What must exist on the NATS side before the service starts. */
export interface ServiceNeeds {
  readonly consumers?: readonly ConsumerDefinition[];
  /** Names of streams. */
  readonly streams?: readonly string[];
  readonly buckets?: readonly BucketDefinition[];
}

/** What `create` returns. */
export interface ServiceParts {
  /** Controllers with `@Rpc` and `@Consume` handlers. `BUS`, `SERVICE_CONTEXT` and `CLOCK` can be injected everywhere. */
  readonly module: Type | DynamicModule;
  /**
   * Runs once every handler listens, before the service reports ready: opens sockets and starts loops. What it returns travels as
   * `extra` in the ready message, for example `{ ws: 'ws://127.0.0.1:18789' }`.
   */
  readonly start?: (app: INestMicroservice) => Promise<Record<string, unknown>> | Promise<void>;
}

/** Declaration of a service: `main.ts` is one call of `runService` with it. */
export interface ServiceDefinition<Schema extends z.ZodObject = z.ZodObject> {
  /** Role name; also the queue group, the issuer of its tokens and the prefix of its durable consumers. */
  readonly name: string;
  readonly version?: string;
  /** The service's own settings, one per environment variable; merged with `baseConfig`. */
  readonly config: Schema;
  readonly needs: ServiceNeeds;
  /** Keeps the newest lines of the log, for a service that shows them. */
  readonly logTail?: LogTail;
  readonly create: (context: ServiceContext<ServiceConfig<Schema>>) => Promise<ServiceParts>;
  /** Last words before the phases begin, for example to tell peers. Part of the hard limit. */
  readonly shutdown?: (context: ServiceContext<ServiceConfig<Schema>>, budget: ShutdownBudget) => Promise<void>;
}

/** Settings of a service as `create` sees them. */
export type ServiceConfig<Schema extends z.ZodObject> = z.output<Schema> & BaseConfig;

/** Injection token of the {@link ServiceContext}. */
export const SERVICE_CONTEXT = Symbol.for('plexus.service-context');
/** Injection token of the clock. */
export const CLOCK = Symbol.for('plexus.clock');
