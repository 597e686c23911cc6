import { createHash } from 'node:crypto';
import { appendOutbox, type Database, type Tx } from '@plexus/database';
import type { Events } from '../../application/events.js';
import type { FrameResult, InboxStore, OwnerKey, WireKey } from '../../application/ports.js';
import { storableJson } from '../../domain/storable-json.js';
import { readUplink, type UplinkEffect } from '../../domain/uplink.js';
import { queueFrames } from './outbox-frames.js';
import { ownerOf } from './vm-rows.js';

const KEPT_SNAPSHOTS = 3;
const KEPT_DEAD_LETTERS = 1_000;

/** With what the session says of itself now: it may be gone when somebody asks what it used. */
const INSERT_USAGE = `
  INSERT INTO usage (tenant_id, subject_id, vm_id, epoch, session_id, model, tokens_in, tokens_out, latency_ms, run_id, cache_read_tokens, cache_write_tokens,
                     owner, session_key)
  SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, s.owner, s.session_key
    FROM (SELECT 1) AS one LEFT JOIN vm_sessions s ON s.tenant_id = $1 AND s.session_id = $5`;

/** Uplink frames that are kept here: applied once, in the transaction that moves the mark. */
export class PostgresInboxStore implements InboxStore {
  constructor(
    private readonly database: Database,
    private readonly events: Events,
  ) {}

  applyFrame(key: WireKey, fseq: number, frame: { readonly type: string }): Promise<FrameResult> {
    return this.database.transaction(async (tx) => {
      const owner = await this.fence(tx, key);
      if (owner === undefined) return { kind: 'fenced' };
      const at = { ...key, owner, fseq };
      // Cleaned before it is read: a frame that the database cannot take would be sent again for ever.
      const clean = JSON.parse(storableJson(frame)) as { type: string };
      const before = await this.advance(tx, key, fseq);
      const duplicate = before >= fseq;
      const queued = !duplicate && (await this.apply(tx, at, clean));
      const snapshot = await this.keptSnapshot(tx, at, readUplink(clean));
      return { kind: 'applied', recvSeq: Math.max(before, fseq), duplicate, tenant: owner.tenant, queued, snapshot };
    });
  }

  /** The newest version of the session that a frame was a snapshot of; undefined of other frames, and when there is none. */
  private async keptSnapshot(tx: Tx, at: FramePlace, effect: UplinkEffect): Promise<number | undefined> {
    if ((effect.kind !== 'snapshot' && effect.kind !== 'unchanged') || !(await this.ownsSession(tx, at, effect.sessionId))) return undefined;
    const [row] = await tx.query<{ version: number | null }>(
      'inbox_snapshot_kept',
      'SELECT max(version) AS version FROM session_snapshots WHERE tenant_id = $1 AND session_id = $2',
      [at.owner.tenant, effect.sessionId],
    );
    return row?.version ?? undefined;
  }

  mark(key: WireKey, upTo: number): Promise<number | undefined> {
    return this.database.transaction(async (tx) => {
      if ((await this.fence(tx, key)) === undefined) return undefined;
      return Math.max(await this.advance(tx, key, upTo), upTo);
    });
  }

  /** The owner, if this epoch is current and not over at the commit: the share lock keeps a successor from being made meanwhile. */
  private async fence(tx: Tx, key: WireKey): Promise<OwnerKey | undefined> {
    const [row] = await tx.query<{ tenant_id: string; subject_id: string; scope_key: string }>(
      'inbox_fence',
      `SELECT tenant_id, subject_id, scope_key FROM vms v WHERE id = $1 AND current_epoch = $2 AND ($3::text IS NULL OR tenant_id = $3)
          AND EXISTS (SELECT 1 FROM vm_instances i WHERE i.vm_id = v.id AND i.epoch = $2 AND i.phase <> 'gone') FOR SHARE OF v`,
      [key.vmId, key.epoch, key.tenant ?? null],
    );
    return row && ownerOf(row);
  }

  /** Moves the mark to `fseq` unless it is there already; returns where it was. */
  private async advance(tx: Tx, key: WireKey, fseq: number): Promise<number> {
    await tx.query('inbox_mark_make', 'INSERT INTO vm_inbox_mark (vm_id, epoch) VALUES ($1, $2) ON CONFLICT DO NOTHING', [key.vmId, key.epoch]);
    const [row] = await tx.query<{ last_seq: number }>('inbox_mark_lock', 'SELECT last_seq FROM vm_inbox_mark WHERE vm_id = $1 AND epoch = $2 FOR UPDATE', [
      key.vmId,
      key.epoch,
    ]);
    const before = row?.last_seq ?? 0;
    if (fseq > before) await tx.query('inbox_mark_move', 'UPDATE vm_inbox_mark SET last_seq = $3 WHERE vm_id = $1 AND epoch = $2', [key.vmId, key.epoch, fseq]);
    return before;
  }

  /** True when something was queued for the VM. */
  private async apply(tx: Tx, at: FramePlace, frame: { readonly type: string }): Promise<boolean> {
    const effect = readUplink(frame);
    const sessionId = 'sessionId' in effect ? effect.sessionId : undefined;
    if (sessionId !== undefined && !(await this.ownsSession(tx, at, sessionId)))
      return this.reject(tx, at, frame, { kind: 'reject', code: 'INVALID_REQUEST', requestId: requestOf(effect) });
    switch (effect.kind) {
      case 'none':
        return false;
      case 'reject':
        return this.reject(tx, at, frame, effect);
      case 'usage':
        await tx.query('inbox_usage', INSERT_USAGE, [
          ...[at.owner.tenant, at.owner.subject, at.vmId, at.epoch, effect.sessionId, effect.model, effect.tokensIn, effect.tokensOut],
          ...[effect.latencyMs ?? null, effect.runId ?? null, effect.cacheReadTokens, effect.cacheWriteTokens],
        ]);
        return false;
      case 'audit':
        await tx.query('inbox_audit', 'INSERT INTO vm_audit (tenant_id, vm_id, epoch, session_id, event, details) VALUES ($1, $2, $3, $4, $5, $6)', [
          at.owner.tenant,
          at.vmId,
          at.epoch,
          effect.sessionId,
          effect.event,
          JSON.stringify(effect.details ?? null),
        ]);
        return false;
      case 'snapshot':
        await this.keepSnapshot(tx, at, effect);
        return false;
      case 'unchanged':
        // Whoever waits for a snapshot of this incarnation has it.
        await tx.query(
          'inbox_snapshot_confirmed',
          'UPDATE session_snapshots SET at = clock_timestamp(), vm_id = $4, epoch = $5 WHERE tenant_id = $1 AND session_id = $2 AND version = $3',
          [at.owner.tenant, effect.sessionId, effect.version, at.vmId, at.epoch],
        );
        return false;
      case 'memory':
        return this.writeMemory(tx, at, effect);
    }
  }

  /** Answers a waiting request; the frame itself keeps its number and is not replayed. */
  private async reject(tx: Tx, at: FramePlace, frame: object, effect: Extract<UplinkEffect, { kind: 'reject' }>): Promise<boolean> {
    const body = JSON.stringify(frame);
    await tx.query('inbox_dead_letter', `INSERT INTO vm_dead_letters (vm_id, epoch, seq, code, sha256, size) VALUES ($1, $2, $3, $4, $5, $6)`, [
      at.vmId,
      at.epoch,
      at.fseq,
      effect.code,
      createHash('sha256').update(body).digest('hex'),
      Buffer.byteLength(body),
    ]);
    await tx.query(
      'inbox_dead_letters_cap',
      'DELETE FROM vm_dead_letters WHERE vm_id = $1 AND id <= (SELECT id FROM vm_dead_letters WHERE vm_id = $1 ORDER BY id DESC OFFSET $2 LIMIT 1)',
      [at.vmId, KEPT_DEAD_LETTERS],
    );
    if (effect.requestId === undefined) return false;
    return this.respond(tx, at, effect.requestId, null, {
      code: effect.code,
      message: effect.code === 'METHOD_NOT_FOUND' ? 'There is no such method.' : 'The parameters do not fit the method.',
    });
  }

  private async writeMemory(tx: Tx, at: FramePlace, effect: Extract<UplinkEffect, { kind: 'memory' }>): Promise<boolean> {
    const id = `${at.vmId}:${at.epoch}:${at.fseq}`;
    const [session] = await tx.query<{ owner: string }>('inbox_session_owner', 'SELECT owner FROM vm_sessions WHERE tenant_id = $1 AND session_id = $2', [
      at.owner.tenant,
      effect.sessionId,
    ]);
    await appendOutbox(tx, [
      this.events.memoryWrite({
        tenant: at.owner.tenant,
        user: session?.owner ?? at.owner.subject,
        content: effect.content,
        kind: effect.memoryKind,
        importance: effect.importance,
        metadata: effect.metadata,
        id,
      }),
    ]);
    return effect.requestId === undefined ? false : this.respond(tx, at, effect.requestId, { accepted: true, idempotency_key: id }, null);
  }

  private async respond(
    tx: Tx,
    at: FramePlace,
    id: string,
    result: unknown,
    error: { readonly code: string; readonly message: string } | null,
  ): Promise<boolean> {
    const queued = await queueFrames(tx, at.vmId, at.epoch, [
      { type: 'response', sessionId: null, runId: null, body: { type: 'response', id, result, error } },
    ]);
    return queued !== undefined;
  }

  private async keepSnapshot(tx: Tx, at: FramePlace, effect: Extract<UplinkEffect, { kind: 'snapshot' }>): Promise<void> {
    const key = [at.owner.tenant, effect.sessionId];
    const body = JSON.stringify(effect.body);
    await tx.query(
      'inbox_snapshot',
      `INSERT INTO session_snapshots (tenant_id, session_id, version, vm_id, epoch, body, kind, hash)
       SELECT $1, $2, coalesce($6, coalesce(max(version), 0) + 1), $3, $4, $5, $7, $8 FROM session_snapshots WHERE tenant_id = $1 AND session_id = $2
       ON CONFLICT (tenant_id, session_id, version) DO NOTHING`,
      [...key, at.vmId, at.epoch, body, effect.version ?? null, effect.snapshotKind, createHash('sha256').update(body).digest('hex')],
    );
    await tx.query(
      'inbox_snapshots_prune',
      `DELETE FROM session_snapshots WHERE tenant_id = $1 AND session_id = $2
          AND version NOT IN (SELECT version FROM session_snapshots WHERE tenant_id = $1 AND session_id = $2 ORDER BY version DESC LIMIT $3 - 1)
          AND version <> coalesce((SELECT max(s.version) FROM session_snapshots s WHERE s.tenant_id = $1 AND s.session_id = $2
             AND (s.kind = 'full' OR EXISTS (SELECT 1 FROM (SELECT kind FROM session_snapshots n WHERE n.tenant_id = $1 AND n.session_id = $2 ORDER BY version DESC LIMIT $3 - 1) newest
                                              WHERE newest.kind = 'full'))
             AND s.version NOT IN (SELECT version FROM session_snapshots WHERE tenant_id = $1 AND session_id = $2 ORDER BY version DESC LIMIT $3 - 1)), -1)`,
      [...key, KEPT_SNAPSHOTS],
    );
  }

  /** A VM speaks for its own sessions only. Until the commit the session is not forgotten: what is kept of it would stay behind. */
  private async ownsSession(tx: Tx, at: FramePlace, sessionId: string): Promise<boolean> {
    const [row] = await tx.query('inbox_session', 'SELECT 1 FROM vm_sessions WHERE tenant_id = $1 AND session_id = $2 AND vm_id = $3 FOR KEY SHARE', [
      at.owner.tenant,
      sessionId,
      at.vmId,
    ]);
    return row !== undefined;
  }
}

interface FramePlace extends WireKey {
  readonly owner: OwnerKey;
  readonly fseq: number;
}

function requestOf(effect: UplinkEffect): string | undefined {
  return 'requestId' in effect ? effect.requestId : undefined;
}
