import type { Bucket } from '@plexus/bus';
import type { configContracts, ReplyOf } from '@plexus/contracts';
import { MAX_REPORTED_TENANTS, ReplicaReport } from '@plexus/service-kit';

/** More processes than this are not listed one by one. */
const MAX_REPLICAS = 500;
const READS_AT_ONCE = 16;

/** What the processes of the mesh report about the configuration. A report expires some seconds after its process died. */
export class ConfigReplicas {
  constructor(private readonly reports: Bucket) {}

  /** How far every process is with one tenant. `revision`: the newest in the bucket. */
  async status(tenant: string, revision: number, hash: string | undefined): Promise<ReplyOf<typeof configContracts.configStatus>> {
    const reports = await this.read();
    // Reports name those tenants first that have something open: one that a full report leaves out has nothing.
    const full = new Set(reports.filter(({ tenants }) => Object.keys(tenants).length >= MAX_REPORTED_TENANTS).map(({ instanceId }) => instanceId));
    const replicas = reports.map(({ tenants, ...report }) => {
      const own = tenants[tenant];
      return {
        service: report.service,
        instanceId: report.instanceId,
        startedAt: report.startedAt,
        reportedAt: report.reportedAt,
        mode: own?.mode ?? ('hybrid' as const),
        restart: report.restart,
        // What failed elsewhere is nobody else's business: a report says it in the progress of the tenant that it concerns.
        degraded: [...report.degraded, ...(own?.progress.failed ?? []).map(({ owner, message }) => ({ module: owner, reason: message }))],
        ...(own !== undefined && { progress: own.progress }),
      };
    });
    const converged = replicas.every(({ progress, degraded, instanceId }) => {
      if (progress === undefined) return revision === 0 || full.has(instanceId);
      return progress.appliedRevision === revision && progress.pendingRestart.length === 0 && progress.failed.length === 0 && degraded.length === 0;
    });
    return { revision, ...(hash !== undefined && { hash }), converged, replicas };
  }

  private async read(): Promise<ReplicaReport[]> {
    const keys = (await this.reports.keys()).sort().slice(0, MAX_REPLICAS);
    const found: ReplicaReport[] = [];
    for (let at = 0; at < keys.length; at += READS_AT_ONCE) {
      const entries = await Promise.all(keys.slice(at, at + READS_AT_ONCE).map((key) => this.reports.get(key)));
      for (const entry of entries) {
        const report = entry && ReplicaReport.safeParse(entry.json());
        if (report?.success) found.push(report.data);
      }
    }
    return found;
  }
}
