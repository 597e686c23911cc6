import type { Provider, Type } from '@nestjs/common';
import type { Database, OutboxRelay } from '@plexus/database';
import type { ServiceConfig, ServiceContext } from '@plexus/service-kit';
import type { LogEntries } from '../adapters/nats/log-entries.js';
import type { CandidateSource } from '../application/deciding-ports.js';
import type { Replicas } from '../application/replicas.js';
import type { LogReader } from '../application/read-log.js';
import type { pushConfig } from '../config.js';

/** What every part of push is built from. */
export interface PushBasis {
  readonly context: ServiceContext<ServiceConfig<typeof pushConfig>>;
  readonly database: Database;
  /** The same for what every event goes through. */
  readonly hot: Database;
  /** The same for what is urgent. */
  readonly urgent: Database;
  readonly relay: OutboxRelay;
  readonly log: LogEntries;
  /** The log from its beginning, for replays. */
  readonly reader: LogReader;
  /** Whom an event concerns now, for explanations. */
  readonly candidates: CandidateSource;
  readonly replicas: Replicas;
  /** Aborts when the service begins to stop. */
  readonly stopping: AbortSignal;
}

/** One part of push: its handlers and loops. `start` runs once every handler listens and registers what must be stopped. */
export interface PushPart {
  readonly controllers: readonly Type[];
  readonly providers: readonly Provider[];
  readonly start?: () => void | Promise<void>;
}
