import {
  AuditLogParams,
  EvolutionSubmitParams,
  type MemoryKindName,
  memoryKindOf,
  MemoryWriteParams,
  SnapshotSyncParams,
  UsageReportParams,
} from '@plexus/vm-protocol';
import { z } from 'zod';

/**
 * What a reliable uplink frame that is not an event of a run asks the mesh to do. Frames are checked here once more although the gateway
 * has looked at their shape: what is applied is what this service understood.
 */
export type UplinkEffect =
  | {
      readonly kind: 'usage';
      readonly sessionId: string;
      readonly model: string;
      readonly tokensIn: number;
      readonly tokensOut: number;
      readonly latencyMs: number | undefined;
      readonly runId: string | undefined;
      readonly cacheReadTokens: number;
      readonly cacheWriteTokens: number;
    }
  | { readonly kind: 'audit'; readonly sessionId: string; readonly event: string; readonly details: unknown }
  | {
      readonly kind: 'memory';
      readonly sessionId: string;
      readonly content: string;
      readonly memoryKind: MemoryKindName;
      readonly importance: number | undefined;
      readonly metadata: Record<string, unknown> | undefined;
      /** Id of the request to answer; absent: nobody waits. */
      readonly requestId: string | undefined;
    }
  | {
      readonly kind: 'snapshot';
      readonly sessionId: string;
      readonly body: unknown;
      readonly version: number | undefined;
      readonly snapshotKind: 'full' | 'delta';
    }
  /** The newest snapshot is this one still: its content was left out. */
  | { readonly kind: 'unchanged'; readonly sessionId: string; readonly version: number }
  /** Understood, and of no consequence here. */
  | { readonly kind: 'none' }
  /** Cannot be applied, ever: it goes to the dead letters, and a waiting request is told. */
  | { readonly kind: 'reject'; readonly code: 'INVALID_REQUEST' | 'METHOD_NOT_FOUND'; readonly requestId: string | undefined };

const Call = z.looseObject({
  type: z.enum(['request', 'fire_and_forget']),
  session_id: z.string().min(1).max(256),
  method: z.string().min(1).max(128),
  params: z.looseObject({}).default({}),
  id: z.string().min(1).max(256).optional(),
});

/** Frames that only tell how things go; the stream and the outbox already say it reliably. */
const NOTICES = new Set(['run_accepted', 'run_rejected', 'cancel_ack', 'config_ack']);

/** Reads one frame. Never throws: what does not fit is an effect of its own. */
export function readUplink(frame: { readonly type: string }): UplinkEffect {
  if (NOTICES.has(frame.type)) return { kind: 'none' };
  const call = Call.safeParse(frame);
  if (!call.success) return { kind: 'reject', code: 'INVALID_REQUEST', requestId: undefined };
  const { session_id: sessionId, method, params } = call.data;
  const requestId = call.data.type === 'request' ? call.data.id : undefined;
  const reject = (code: 'INVALID_REQUEST' | 'METHOD_NOT_FOUND'): UplinkEffect => ({ kind: 'reject', code, requestId });

  if (method === 'memory_write') {
    const write = MemoryWriteParams.safeParse(params);
    if (!write.success) return reject('INVALID_REQUEST');
    const { content, memory_type, importance, metadata } = write.data;
    return {
      kind: 'memory',
      sessionId,
      content,
      memoryKind: memoryKindOf(memory_type),
      importance: importance ?? undefined,
      metadata: metadata ?? undefined,
      requestId,
    };
  }
  if (requestId !== undefined) return reject('METHOD_NOT_FOUND');
  switch (method) {
    case 'usage_report': {
      const usage = UsageReportParams.safeParse(params);
      if (!usage.success) return reject('INVALID_REQUEST');
      const { model, tokens_in: tokensIn, tokens_out: tokensOut, latency_ms: latencyMs, run_id: runId } = usage.data;
      const { cache_read_tokens: cacheReadTokens = 0, cache_write_tokens: cacheWriteTokens = 0 } = usage.data;
      return { kind: 'usage', sessionId, model, tokensIn, tokensOut, latencyMs: latencyMs ?? undefined, runId, cacheReadTokens, cacheWriteTokens };
    }
    case 'audit_log': {
      const audit = AuditLogParams.safeParse(params);
      return audit.success ? { kind: 'audit', sessionId, event: audit.data.event, details: audit.data.details ?? {} } : reject('INVALID_REQUEST');
    }
    case 'evolution_submit': {
      // Nobody turns proposals of agents into skills: what is kept is that there was one, of which name and size.
      const proposal = EvolutionSubmitParams.safeParse(params);
      if (!proposal.success) return reject('INVALID_REQUEST');
      const { name, description, skill_md, quality_score } = proposal.data;
      const details = { name, description_bytes: Buffer.byteLength(description), skill_md_bytes: Buffer.byteLength(skill_md), quality_score };
      return { kind: 'audit', sessionId, event: 'evolution_submit', details };
    }
    case 'snapshot_sync': {
      const snapshot = SnapshotSyncParams.safeParse(params);
      if (!snapshot.success) return reject('INVALID_REQUEST');
      const { version, kind: snapshotKind, unchanged } = snapshot.data;
      if (unchanged) return version === undefined ? reject('INVALID_REQUEST') : { kind: 'unchanged', sessionId, version };
      return { kind: 'snapshot', sessionId, body: params, version, snapshotKind };
    }
    default:
      return reject('METHOD_NOT_FOUND');
  }
}
