import { createInbox, type Msg } from '@nats-io/transport-node';
import { z } from 'zod';
import type { Bus } from './bus.js';

const NO_RESPONDERS = 503;

const Stats = z.object({
  name: z.string(),
  id: z.string(),
  version: z.string().default(''),
  metadata: z.record(z.string(), z.string()).default({}),
  started: z.string().default(''),
  data: z.record(z.string(), z.unknown()).optional().catch(undefined),
  endpoints: z
    .array(
      z.object({
        name: z.string(),
        subject: z.string().default(''),
        num_requests: z.number().default(0),
        num_errors: z.number().default(0),
        average_processing_time: z.number().default(0),
      }),
    )
    .default([]),
});

/** One thing that a replica answers. */
export interface FoundEndpoint {
  readonly name: string;
  readonly subject: string;
  readonly requests: number;
  readonly errors: number;
  readonly averageMs: number;
}

/** One process that answered, of Plexus or of anybody else who speaks the services protocol of NATS (ADR-32). */
export interface FoundReplica {
  readonly service: string;
  readonly id: string;
  readonly version: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** ISO 8601; empty when it does not say. */
  readonly startedAt: string;
  readonly endpoints: readonly FoundEndpoint[];
  /** What it says of itself beside. */
  readonly data: Readonly<Record<string, unknown>>;
}

export interface DiscoverOptions {
  /** At most this long altogether, in milliseconds. Default 1,000. */
  readonly maxMs?: number;
  /** Over when nobody has answered for this long, in milliseconds. Default 200. */
  readonly quietMs?: number;
  /** At most so many replicas. Default 1,000. */
  readonly limit?: number;
}

/** Asks every replica of every service how it is (`$SRV.STATS`). Answers that make no sense are left out; nobody answers: an empty list. Never rejects. */
export function discoverServices(bus: Pick<Bus, 'connection' | 'inboxPrefix'>, options: DiscoverOptions = {}): Promise<FoundReplica[]> {
  const { maxMs = 1_000, quietMs = 200, limit = 1_000 } = options;
  const { connection } = bus;
  const found = new Map<string, FoundReplica>();
  if (connection.isClosed()) return Promise.resolve([]);
  return new Promise((resolve) => {
    const inbox = createInbox(bus.inboxPrefix);
    let quiet: NodeJS.Timeout | undefined;
    const finish = (): void => {
      clearTimeout(quiet);
      clearTimeout(end);
      if (!connection.isClosed()) subscription.unsubscribe();
      resolve([...found.values()]);
    };
    const end = setTimeout(finish, maxMs);
    const subscription = connection.subscribe(inbox, {
      callback: (error: Error | null, message: Msg) => {
        if (error || message.headers?.code === NO_RESPONDERS) return finish();
        const replica = replicaOf(message);
        if (replica !== undefined) found.set(replica.id, replica);
        if (found.size >= limit) return finish();
        clearTimeout(quiet);
        quiet = setTimeout(finish, quietMs);
      },
    });
    connection.publish('$SRV.STATS', '', { reply: inbox });
  });
}

function replicaOf(message: Msg): FoundReplica | undefined {
  let json: unknown;
  try {
    json = message.json();
  } catch {
    return undefined; // Not JSON: nobody that we know.
  }
  const parsed = Stats.safeParse(json);
  if (!parsed.success) return undefined;
  const { name, id, version, metadata, started, data = {}, endpoints } = parsed.data;
  return {
    ...{ service: name, id, version, metadata, startedAt: started, data },
    endpoints: endpoints.map((one) => ({
      name: one.name,
      subject: one.subject,
      requests: one.num_requests,
      errors: one.num_errors,
      averageMs: Math.round(one.average_processing_time / 1_000) / 1_000,
    })),
  };
}
