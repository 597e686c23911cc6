import { windowFor, type Window } from '@plexus/context-window';
import type { Database } from '@plexus/database';
import type { Clock } from '@plexus/kernel';
import { PostgresMemoryWriter } from '../../src/adapters/postgres/memory-writer.js';
import { PostgresSessionStore } from '../../src/adapters/postgres/session-store.js';
import { FlushSessions } from '../../src/application/flush-sessions.js';
import { type GivenMessage, KeepSessions } from '../../src/application/keep-sessions.js';
import type { SessionSummariser } from '../../src/application/session-ports.js';
import type { Memory } from './backends.js';

/** Sessions on the database of {@link memoryOn}. */
export function sessionsOn(database: Database, memory: Memory, options: { window?: Window; summariser?: SessionSummariser; problems?: unknown[] } = {}) {
  const store = new PostgresSessionStore(database);
  const writer = new PostgresMemoryWriter(
    database,
    (_tenant, { memoryId }) => ({ subject: 'test', msgId: memoryId, body: Buffer.from('') }),
    () => () => [],
    () => undefined,
  );
  const flushing = new FlushSessions(store, memory.write, writer, memory.clock as Clock, (error) => options.problems?.push(error), options.summariser);
  return { store, sessions: new KeepSessions(store, flushing, memory.clock as Clock, options.window ?? windowFor()) };
}

export const said = (n: number, text: string, rest: Partial<GivenMessage> = {}): GivenMessage => ({
  messageId: `m${n}`,
  role: n % 2 === 1 ? 'user' : 'assistant',
  text,
  ...rest,
});
