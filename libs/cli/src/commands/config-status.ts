import { table } from '../output.js';

/** Answer of `/v1/config/status`. */
export interface ConfigStatus {
  readonly revision: number;
  readonly converged: boolean;
  readonly replicas: readonly {
    readonly service: string;
    readonly instanceId: string;
    readonly mode: string;
    readonly restart: string;
    readonly degraded: readonly { readonly module: string; readonly reason: string }[];
    readonly progress?: {
      readonly appliedRevision: number;
      readonly desiredRevision: number;
      readonly pendingRestart: readonly string[];
      readonly failed: readonly { readonly owner: string; readonly message: string; readonly nextTryAt?: string }[];
      readonly rejected?: { readonly revision: number; readonly issues: readonly { readonly path: string; readonly message: string }[] };
    };
  }[];
}

/** The status as people read it. */
export function statusLines({ revision, converged, replicas }: ConfigStatus): string[] {
  const rows = replicas.map(({ service, instanceId, mode, restart, degraded, progress }) => [
    service,
    instanceId.slice(-8),
    mode,
    progress === undefined ? '–' : String(progress.appliedRevision),
    restart === 'none' ? '' : restart,
    [
      ...(progress?.pendingRestart.length ? [`waits for a restart: ${progress.pendingRestart.join(', ')}`] : []),
      ...(progress?.failed.map(({ owner, message }) => `${owner} failed: ${message}`) ?? []),
      ...(progress?.rejected === undefined ? [] : [`revision ${progress.rejected.revision} is invalid: ${progress.rejected.issues[0]?.message ?? ''}`]),
      ...degraded.map(({ module, reason }) => `${module}: ${reason}`),
    ].join('; '),
  ]);
  return [
    `revision ${revision}: ${converged ? 'every process runs with it' : 'NOT everywhere yet'}`,
    '',
    ...table([['SERVICE', 'PROCESS', 'MODE', 'APPLIED', 'RESTART', 'OPEN'], ...rows]),
  ];
}
