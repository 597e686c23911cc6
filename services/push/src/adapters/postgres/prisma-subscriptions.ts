import { errors } from '@plexus/contracts';
import { isConnectionFailure } from '@plexus/database';
import type { Pool } from 'pg';
import type { PrismaClient } from '../../../gen/client.js';
import type { Owner, StoredSubscription, SubscriptionDraft, SubscriptionStore } from '../../application/ports.js';

type Row = NonNullable<Awaited<ReturnType<PrismaClient['subscription']['findFirst']>>>;

/** What Prisma calls a database that cannot be reached, closes the connection, or has no connection left in time. */
const UNREACHABLE = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2037']);

/**
 * Subscriptions through the Prisma client: ordinary CRUD. The client is loaded at the first use, because a replica that only
 * decides never needs its 30 MB, and it shares the service's pool.
 */
export class PrismaSubscriptionStore implements SubscriptionStore {
  #client: Promise<PrismaClient> | undefined;

  constructor(
    private readonly pool: Pool,
    private readonly schema: string,
  ) {}

  async save({ tenant, user }: Owner, id: string, draft: SubscriptionDraft): Promise<StoredSubscription> {
    const said = { minSeverity: draft.minSeverity, typePatterns: [...draft.typePatterns], level: draft.level };
    const scope = { tenant, userId: user, scopeKind: draft.scopeKind, scopeRef: draft.scopeRef, name: '' };
    // One INSERT … ON CONFLICT: two callers that subscribe to the same scope at once get one row.
    const row = await this.#run((client) =>
      client.subscription.upsert({
        where: { scopeOfUser: scope },
        create: { ...scope, id, ...said },
        update: { ...said, version: { increment: 1 } },
      }),
    );
    return toSubscription(row);
  }

  async remove({ tenant, user }: Owner, id: string): Promise<boolean> {
    const { count } = await this.#run((client) => client.subscription.deleteMany({ where: { tenant, id, userId: user } }));
    return count > 0;
  }

  async list({ tenant, user }: Owner): Promise<StoredSubscription[]> {
    const rows = await this.#run((client) => client.subscription.findMany({ where: { tenant, userId: user }, orderBy: [{ createdAt: 'asc' }, { id: 'asc' }] }));
    return rows.map(toSubscription);
  }

  /** Releases the client, if it was ever loaded; the pool stays with its owner. */
  async close(): Promise<void> {
    const client = await this.#client;
    await client?.$disconnect();
  }

  async #run<T>(work: (client: PrismaClient) => Promise<T>): Promise<T> {
    this.#client ??= this.#load().catch((error: unknown) => {
      this.#client = undefined;
      throw error;
    });
    try {
      return await work(await this.#client);
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if (isConnectionFailure(error) || (typeof code === 'string' && UNREACHABLE.has(code))) throw errors.create('UNAVAILABLE', { cause: error });
      throw error;
    }
  }

  async #load(): Promise<PrismaClient> {
    const [{ PrismaPg }, { PrismaClient: Client }] = await Promise.all([import('@prisma/adapter-pg'), import('../../../gen/client.js')]);
    return new Client({ adapter: new PrismaPg(this.pool, { schema: this.schema }) });
  }
}

function toSubscription(row: Row): StoredSubscription {
  return {
    id: row.id,
    user: row.userId,
    // Written by this service alone, from values that its contract validated.
    scopeKind: row.scopeKind as StoredSubscription['scopeKind'],
    scopeRef: row.scopeRef,
    minSeverity: row.minSeverity as StoredSubscription['minSeverity'],
    typePatterns: row.typePatterns,
    level: row.level as StoredSubscription['level'],
    version: row.version,
    createdAt: row.createdAt.toISOString(),
  };
}
