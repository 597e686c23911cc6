import type { Provider } from '@nestjs/common';
import { windowFor } from '@plexus/context-window';
import type { Database } from '@plexus/database';
import type { Clock } from '@plexus/kernel';
import { STATE_OF, type StateOf } from './adapters/nats/state.controller.js';
import { PostgresState } from './adapters/postgres/postgres-state.js';
import { PostgresSessionStore } from './adapters/postgres/session-store.js';
import { FlushSessions } from './application/flush-sessions.js';
import { KeepSessions } from './application/keep-sessions.js';
import type { MemoryRetention, MemoryWriter } from './application/ports.js';
import { SweepSessions } from './application/sweep-sessions.js';
import type { WriteMemory } from './application/write-memory.js';
import type { MemoryConfig } from './config.js';

interface SessionParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly config: Pick<MemoryConfig, 'MEMORY_SESSION_WINDOW_TOKENS' | 'MEMORY_SESSION_RETENTION_DAYS'>;
  readonly writing: WriteMemory;
  readonly writer: MemoryWriter;
  readonly retention: MemoryRetention;
}

/** Sessions and state of runs, on the database that memories are in. */
export function wireSessions({ database, clock, config, writing, writer, retention }: SessionParts): { providers: Provider[]; sweep: () => Promise<number> } {
  const store = new PostgresSessionStore(database);
  const flushing = new FlushSessions(store, writing, writer, clock, () => undefined);
  const tokens = config.MEMORY_SESSION_WINDOW_TOKENS;
  const sessions = new KeepSessions(store, flushing, clock, windowFor(tokens === undefined ? {} : { configuredTokens: tokens }));
  const stateOf: StateOf = (tenant, owner) => new PostgresState(database, clock, tenant, owner);
  const sweeping = new SweepSessions(store, retention, clock, config.MEMORY_SESSION_RETENTION_DAYS);
  return {
    providers: [
      { provide: KeepSessions, useValue: sessions },
      { provide: STATE_OF, useValue: stateOf },
    ],
    sweep: () => sweeping.execute(),
  };
}
