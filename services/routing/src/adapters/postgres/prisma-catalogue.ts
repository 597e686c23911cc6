import { plexusError } from '@plexus/contracts';
import { isConnectionFailure } from '@plexus/database';
import { toStorableText } from '@plexus/kernel';
import type { Pool } from 'pg';
import type { Prisma, PrismaClient } from '../../../gen/client.js';
import type { ListedSession, Role, SessionCatalogue, StoredSession, TranscriptMessage } from '../../application/ports.js';
import type { Owner } from '../../domain/caller.js';
import type { SessionEntry } from '../../domain/session-entry.js';

/** What Prisma calls a database that cannot be reached, that closes the connection, or that has no connection left in time. */
const UNREACHABLE = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2037']);
/** Lists show the beginning of a message; 500 sessions must fit into one answer. */
const PREVIEW_LENGTH = 160;

type ListQuery = Parameters<SessionCatalogue['list']>[1];
type SessionRow = Prisma.SessionGetPayload<object>;
type MessageRow = Prisma.MessageGetPayload<object>;

/** Session lists through the Prisma client, loaded at the first list: a replica that only moves messages never needs its memory. */
export class PrismaCatalogue implements SessionCatalogue {
  readonly #pool: Pool;
  readonly #schema: string;
  #client: Promise<PrismaClient> | undefined;

  constructor(pool: Pool, schema: string) {
    this.#pool = pool;
    this.#schema = schema;
  }

  async list({ tenant, owner }: Owner, query: ListQuery): Promise<{ sessions: ListedSession[]; total: number }> {
    const where: Prisma.SessionWhereInput = {
      tenant,
      ...(query.shared ? { grants: { some: { grantee: owner, tenant } } } : { owner }),
      ...(query.agentId === undefined ? {} : { agentId: query.agentId }),
      ...(query.search === undefined
        ? {}
        : { OR: [{ sessionKey: { contains: query.search, mode: 'insensitive' } }, { label: { contains: query.search, mode: 'insensitive' } }] }),
    };
    return this.#run(async (client) => {
      const order = [{ updatedAt: 'desc' as const }, { id: 'desc' as const }];
      const grants = { where: { grantee: query.shared ? owner : '' } };
      const page = { where, orderBy: order, skip: query.offset, take: query.limit, include: { grants } };
      const [rows, total] = await Promise.all([client.session.findMany(page), client.session.count({ where })]);
      const newest = query.includeLastMessage ? await newestMessages(client, rows) : new Map<string, TranscriptMessage>();
      return { sessions: rows.map((row) => ({ session: toSession(row), lastMessage: newest.get(row.sessionId), access: accessOf(row.grants[0]) })), total };
    });
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
      if (isConnectionFailure(error) || (typeof code === 'string' && UNREACHABLE.has(code))) throw plexusError('UNAVAILABLE', { cause: error });
      throw error;
    }
  }

  async #load(): Promise<PrismaClient> {
    const [{ PrismaPg }, { PrismaClient: Client }] = await Promise.all([import('@prisma/adapter-pg'), import('../../../gen/client.js')]);
    return new Client({ adapter: new PrismaPg(this.#pool, { schema: this.#schema }) });
  }
}

/** The last message of each session; its seq is the message count. */
async function newestMessages(client: PrismaClient, rows: readonly SessionRow[]): Promise<Map<string, TranscriptMessage>> {
  const wanted = rows.filter((row) => row.messageCount > 0).map((row) => ({ sessionId: row.sessionId, seq: row.messageCount }));
  if (wanted.length === 0) return new Map();
  const messages = await client.message.findMany({ where: { OR: wanted } });
  return new Map(messages.map((message) => [message.sessionId, toPreview(message)]));
}

function toPreview(row: MessageRow): TranscriptMessage {
  return {
    messageId: row.messageId,
    seq: row.seq,
    // Written by this service alone and checked by the table.
    role: row.role as Role,
    text: row.text.length > PREVIEW_LENGTH ? `${toStorableText(row.text.slice(0, PREVIEW_LENGTH - 1))}…` : row.text,
    ...(row.runId === null ? {} : { runId: row.runId }),
    ...(row.label === null ? {} : { label: row.label }),
    at: row.at.toISOString(),
  };
}

/** Written by this service alone and checked by the table. */
function accessOf(grant: { access: string } | undefined): 'read' | 'write' | undefined {
  return grant === undefined ? undefined : (grant.access as 'read' | 'write');
}

function toSession(row: SessionRow): StoredSession {
  const { tenant, owner, sessionKey, sessionId, agentId, kind, messageCount, createdAt, updatedAt } = row;
  return {
    ...{ tenant, owner, sessionKey, sessionId, agentId, kind, messageCount, createdAt, updatedAt },
    ref: Number(row.id),
    label: row.label ?? undefined,
    activeRunId: row.activeRunId ?? undefined,
    position: { seq: Number(row.streamSeq), epoch: Number(row.streamEpoch) },
    entry: row.entry as SessionEntry,
  };
}
