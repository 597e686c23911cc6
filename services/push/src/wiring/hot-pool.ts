import { createPool, type Database, type DatabaseOptions } from '@plexus/database';

/** Two lanes of the decider and the look-ups of matching, with what they load at the same time. */
const CONNECTIONS = 4;
/** The same of what is urgent: a lane, and look-ups. */
const URGENT_CONNECTIONS = 2;

/**
 * Statements that every event goes through take their rows from arrays and reach every table by its key, whatever the tables hold. Planning the large
 * ones anew costs more than running them, and a plan made for a table that was empty would read it from end to end.
 */
const SETTINGS = { plan_cache_mode: 'force_generic_plan', enable_hashjoin: 'off', enable_mergejoin: 'off', enable_seqscan: 'off', jit: 'off' };

/** Connections for deciding and matching alone: nothing that people ask for makes an event wait. */
export function createHotPool(options: HotPoolOptions): Database {
  return createPool({ ...options, max: CONNECTIONS, pipelined: true, settings: SETTINGS });
}

/** The same for what is urgent: it waits for no connection that others have. */
export function createUrgentPool(options: HotPoolOptions): Database {
  return createPool({ ...options, max: URGENT_CONNECTIONS, pipelined: true, settings: SETTINGS });
}

type HotPoolOptions = Pick<DatabaseOptions, 'url' | 'schema' | 'applicationName' | 'log'>;
