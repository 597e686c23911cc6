import type { vmContracts } from '@plexus/contracts';
import type { Pool } from 'pg';
import type { Prisma, PrismaClient } from '../../../gen/client.js';
import type { Visibility, VmCatalogue } from '../../application/manage-vms.js';

const WITH_INSTANCE = { instances: { where: { phase: { not: 'gone' } }, take: 1 }, template: { select: { name: true } } } satisfies Prisma.VmInclude;
type VmRow = Prisma.VmGetPayload<{ include: typeof WITH_INSTANCE }>;

type UsageRow = Omit<Awaited<ReturnType<VmCatalogue['usage']>>['rows'][number], 'lastAt'> & { readonly lastAt: Date };
const USAGE = `
  SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, session_id AS "sessionId", model, count(*)::int AS calls,
         sum(tokens_in)::float8 AS "tokensIn", sum(tokens_out)::float8 AS "tokensOut",
         sum(cache_read_tokens)::float8 AS "cacheRead", sum(cache_write_tokens)::float8 AS "cacheWrite", max(at) AS "lastAt"
    FROM usage
   WHERE tenant_id = $1 AND ($2::text IS NULL OR coalesce(owner, subject_id) = $2) AND ($5::text IS NULL OR session_id = $5)
     AND at >= $3::date::timestamp AT TIME ZONE 'UTC' AND at < ($4::date + 1)::timestamp AT TIME ZONE 'UTC'
   GROUP BY 1, 2, 3 ORDER BY 1 DESC, 2, 3 LIMIT $6`;

/** The database knows no year 0. */
const dayOf = (day: string): string => (day < '0001' ? '0001-01-01' : day);

/** Lists through the Prisma client, on the pool of the service. Loaded at the first use: a replica that nobody asks never needs its memory. */
export class PrismaVmCatalogue implements VmCatalogue {
  private client: Promise<PrismaClient> | undefined;

  constructor(
    private readonly pool: Pool,
    private readonly schema: string,
  ) {}

  async find(who: Visibility, vmId: string): Promise<vmContracts.VmSummary | undefined> {
    const row = await (await this.open()).vm.findFirst({ where: { id: vmId, ...whereOf(who) }, include: WITH_INSTANCE });
    return row === null ? undefined : summaryOf(row);
  }

  async list(who: Visibility, selection: { readonly includeTerminated: boolean; readonly limit: number }): Promise<vmContracts.VmSummary[]> {
    const live = selection.includeTerminated ? {} : { state: { notIn: ['failed', 'terminated'] } };
    const rows = await (await this.open()).vm.findMany({
      where: { ...whereOf(who), ...live },
      orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
      take: selection.limit,
      include: WITH_INSTANCE,
    });
    return rows.map(summaryOf);
  }

  async history(vmId: string, limit: number): ReturnType<VmCatalogue['history']> {
    const rows = await (await this.open()).vmTransition.findMany({ where: { vmId }, orderBy: { id: 'desc' }, take: limit });
    return rows.map((row) => ({
      from: row.fromState as vmContracts.VmState,
      to: row.toState as vmContracts.VmState,
      cause: row.cause,
      epoch: Number(row.epoch),
      at: row.at.toISOString(),
      replica: row.replica,
    }));
  }

  async activity(vmId: string): ReturnType<VmCatalogue['activity']> {
    const rows = await (await this.open()).vmActivity.findMany({ where: { vmId }, orderBy: { id: 'desc' }, take: 50 });
    return rows.map(({ kind, source, at }) => ({ kind, source, at: at.toISOString() }));
  }

  async usage(who: Visibility, { from, to, sessionId, limit }: Parameters<VmCatalogue['usage']>[1]): ReturnType<VmCatalogue['usage']> {
    const { rows } = await this.pool.query<UsageRow>(USAGE, [who.tenant, who.subject ?? null, dayOf(from), dayOf(to), sessionId ?? null, limit + 1]);
    return {
      rows: rows.slice(0, limit).map(({ lastAt, ...row }) => ({ ...row, lastAt: lastAt.toISOString() })),
      more: rows.length > limit,
    };
  }

  async openRuns(vmId: string): Promise<{ readonly runId: string; readonly sessionKey: string }[]> {
    return (await this.open()).vmRun.findMany({ where: { vmId, state: 'open' }, select: { runId: true, sessionKey: true }, take: 50 });
  }

  async close(): Promise<void> {
    await (await this.client)?.$disconnect();
  }

  private open(): Promise<PrismaClient> {
    this.client ??= this.load().catch((error: unknown) => {
      this.client = undefined; // a failed load must not be remembered
      throw error;
    });
    return this.client;
  }

  private async load(): Promise<PrismaClient> {
    const [{ PrismaPg }, { PrismaClient }] = await Promise.all([import('@prisma/adapter-pg'), import('../../../gen/client.js')]);
    return new PrismaClient({ adapter: new PrismaPg(this.pool, { schema: this.schema }) });
  }
}

function whereOf({ tenant, subject }: Visibility): Prisma.VmWhereInput {
  return { tenantId: tenant, ...(subject === undefined ? {} : { subjectId: subject }) };
}

function summaryOf(row: VmRow): vmContracts.VmSummary {
  const ref = row.instances[0]?.providerRef as { pid?: number } | null | undefined;
  return {
    vmId: row.id,
    owner: row.subjectId,
    scopeKey: row.scopeKey,
    state: row.state as vmContracts.VmState,
    desiredState: row.desiredState as vmContracts.VmSummary['desiredState'],
    epoch: Number(row.currentEpoch),
    stateSince: row.stateSince.toISOString(),
    createdAt: row.createdAt.toISOString(),
    ...(row.reasonCode === null ? {} : { reason: { code: row.reasonCode, text: row.reasonText ?? '' } }),
    ...(typeof ref?.pid === 'number' ? { pid: ref.pid } : {}),
    ...(row.provider === null ? {} : { provider: row.provider }),
    ...(row.hostId === null ? {} : { host: row.hostId }),
    ...(row.template === null || row.template.name === 'default' ? {} : { template: row.template.name }),
    ...(row.poolId === null ? {} : { pool: row.poolId }),
    lastActivityAt: row.lastActivityAt.toISOString(),
    ...(row.pauseDegraded ? { pauseDegraded: true } : {}),
  };
}
