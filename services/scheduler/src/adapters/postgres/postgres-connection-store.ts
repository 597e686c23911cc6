import type { Database, Tx } from '@plexus/database';
import type { Events } from '../../application/events.js';
import type { AttachResult, Attachment, Beat, BeatAnswer, ConnectionStore, OutboxPage, WireKey } from '../../application/ports.js';
import { admissionPath } from '../../domain/admit.js';
import { LEASE_BATCH_MS } from '../../domain/policy.js';
import type { InstancePhase, Move } from '../../domain/vm.js';
import { assertEdge, type VmState } from '../../domain/vm-state.js';
import { noteSuccess } from './breaker-rows.js';
import { noteHostSuccess } from './host-rows.js';
import { ownerOf, recordMoves, WAKE } from './vm-rows.js';

/** Frames of one reply together, unless the first alone is larger: a reply is one message of the mesh, and those have a limit (1 MiB). */
const PAGE_BYTES = 262_144;

interface AttachRow {
  readonly tenant_id: string;
  readonly subject_id: string;
  readonly scope_key: string;
  readonly state: VmState;
  readonly current_epoch: number;
  readonly row_version: number;
  readonly phase: InstancePhase | null;
  /** It was connected before, or its ticket was redeemed. */
  readonly is_known: boolean;
  readonly pool_id: string | null;
  readonly provider: string | null;
  readonly host_id: string | null;
  readonly template_hash: string | null;
}

interface BeatRow {
  readonly vm_id: string;
  readonly current_epoch: number | null;
  readonly desired_state: string | null;
  readonly state: VmState | null;
  readonly conn_gen: number | null;
  readonly sent_seq: number | null;
  readonly ok: boolean;
}

/** Sockets, leases and downlink frames in Postgres. */
export class PostgresConnectionStore implements ConnectionStore {
  constructor(
    private readonly database: Database,
    private readonly events: Events,
    private readonly replica: string,
    private readonly leaseMs: number,
  ) {}

  attach(key: WireKey, connection: { readonly gateway: string; readonly recvSeq: number }): Promise<AttachResult> {
    return this.database.transaction(async (tx) => {
      const [vm] = await tx.query<AttachRow>(
        'attach_lock',
        `SELECT v.tenant_id, v.subject_id, v.scope_key, v.state, v.current_epoch, v.row_version, v.pool_id, v.provider, v.host_id, v.template_hash,
                (SELECT i.phase FROM vm_instances i WHERE i.vm_id = v.id AND i.epoch = $2) AS phase,
                EXISTS (SELECT 1 FROM vm_instances i WHERE i.vm_id = v.id AND i.epoch = $2 AND i.attached_at IS NOT NULL)
                  OR EXISTS (SELECT 1 FROM vm_tickets t WHERE t.vm_id = v.id AND t.epoch = $2 AND t.used_at IS NOT NULL) AS is_known
           FROM vms v WHERE v.id = $1 AND ($3::text IS NULL OR v.tenant_id = $3) FOR UPDATE`,
        [key.vmId, key.epoch, key.tenant ?? null],
      );
      if (vm === undefined) return { kind: 'unknown' };
      const path =
        vm.current_epoch === key.epoch && (vm.phase === 'creating' || vm.phase === 'running') ? admissionPath(vm.state, vm.pool_id !== null) : undefined;
      if (path === undefined) return { kind: 'fenced', currentEpoch: vm.current_epoch };
      // A token alone may be a copy: whoever is first shows the ticket that works once.
      if (!vm.is_known) return { kind: 'no-ticket' };
      const moves = await this.admit(tx, key, vm, path);
      return { kind: 'attached', attachment: await this.connect(tx, key, vm, connection, moves) };
    });
  }

  private async admit(tx: Tx, key: WireKey, vm: AttachRow, path: readonly VmState[]): Promise<readonly Move[]> {
    const moves: Move[] = [];
    let from = vm.state;
    for (const to of path) {
      assertEdge(from, to);
      moves.push({ from, to, cause: 'attached' });
      from = to;
    }
    if (moves.length === 0) return moves;
    await tx.query(
      'attach_vm',
      `UPDATE vms SET state = $2, state_since = clock_timestamp(), observed_generation = generation, attempt = 0, deadline_at = NULL, reason_code = NULL, reason_text = NULL, excluded_hosts = '[]',
              next_action_at = clock_timestamp(), last_activity_at = clock_timestamp(), row_version = row_version + $3
        WHERE id = $1`,
      [key.vmId, from, moves.length],
    );
    const owner = ownerOf(vm);
    await recordMoves(tx, this.events, { id: key.vmId, owner, epoch: key.epoch, rowVersion: vm.row_version + 1, replica: this.replica }, moves);
    if (vm.state === 'provisioning' || vm.state === 'booting') {
      if (vm.provider !== null) await noteSuccess(tx, vm.provider, vm.template_hash ?? '');
      if (vm.host_id !== null) await noteHostSuccess(tx, vm.host_id);
    }
    await tx.query('attach_runs', `UPDATE vm_runs SET unavailable_at = NULL WHERE vm_id = $1 AND handed_epoch = $2 AND state = 'open'`, [key.vmId, key.epoch]);
    return moves;
  }

  private async connect(
    tx: Tx,
    key: WireKey,
    vm: AttachRow,
    connection: { readonly gateway: string; readonly recvSeq: number },
    moves: readonly Move[],
  ): Promise<Attachment> {
    const [instance] = await tx.query<{ conn_gen: number; sent_seq: number }>(
      'attach_instance',
      `UPDATE vm_instances SET phase = 'running', conn_gen = conn_gen + 1, gateway = $2, attached_at = coalesce(attached_at, clock_timestamp()),
              lease_until = clock_timestamp() + $3 * interval '1 millisecond'
        WHERE epoch = $1 RETURNING conn_gen, sent_seq`,
      [key.epoch, connection.gateway, this.leaseMs],
    );
    await acknowledge(tx, key, connection.recvSeq);
    const [outbox] = await tx.query<{ acked: number }>(
      'attach_acked',
      'SELECT coalesce(min(seq) FILTER (WHERE acked_at IS NULL) - 1, max(seq), 0) AS acked FROM vm_outbox WHERE vm_id = $1 AND epoch = $2',
      [key.vmId, key.epoch],
    );
    const [mark] = await tx.query<{ last_seq: number }>(
      'attach_mark',
      `INSERT INTO vm_inbox_mark (vm_id, epoch) VALUES ($1, $2) ON CONFLICT (vm_id, epoch) DO UPDATE SET last_seq = vm_inbox_mark.last_seq RETURNING last_seq`,
      [key.vmId, key.epoch],
    );
    const sessions = await tx.query<{ session_id: string; session_key: string; owner: string; agent_id: string }>(
      'attach_sessions',
      'SELECT session_id, session_key, owner, agent_id FROM vm_sessions WHERE vm_id = $1 AND epoch = $2 ORDER BY updated_at DESC LIMIT 1000',
      [key.vmId, key.epoch],
    );
    const traces = await tx.query<{ traceparent: string }>(
      'attach_traces',
      `SELECT traceparent FROM vm_runs WHERE vm_id = $1 AND state = 'open' AND traceparent IS NOT NULL LIMIT 256`,
      [key.vmId],
    );
    return {
      connGen: instance?.conn_gen ?? 1,
      serverSentSeq: instance?.sent_seq ?? 0,
      ackedSeq: Number(outbox?.acked ?? 0),
      serverRecvSeq: mark?.last_seq ?? 0,
      owner: ownerOf(vm),
      sessions: sessions.map((row) => ({ sessionId: row.session_id, sessionKey: row.session_key, owner: row.owner, agentId: row.agent_id })),
      traces: traces.map(({ traceparent }) => traceparent),
      moves,
    };
  }

  async detach(key: WireKey, connGen: number): Promise<void> {
    await this.database.query(
      'detach',
      `UPDATE vm_instances SET gateway = NULL WHERE vm_id = $1 AND epoch = $2 AND conn_gen = $3
          AND ($4::text IS NULL OR EXISTS (SELECT 1 FROM vms v WHERE v.id = $1 AND v.tenant_id = $4))`,
      [key.vmId, key.epoch, connGen, key.tenant ?? null],
    );
  }

  async beat(tenant: string | undefined, beats: readonly Beat[]): Promise<readonly BeatAnswer[]> {
    const rows = await this.database.query<BeatRow>(
      'beat',
      // One write per VM and batch interval at most, in the order of ids, so that two gateways never wait for each other in a ring.
      `WITH b AS (SELECT * FROM unnest($1::text[], $2::bigint[], $3::int[]) AS t (vm_id, epoch, conn_gen)),
            known AS (SELECT b.vm_id, v.current_epoch, v.desired_state, v.state, i.conn_gen, i.sent_seq, i.lease_until,
                             coalesce(v.current_epoch = b.epoch AND i.conn_gen = b.conn_gen AND i.phase = 'running' AND v.state IN ('ready', 'warm', 'suspect', 'draining', 'pausing'), false) AS ok,
                             v.id, i.epoch
                        FROM b LEFT JOIN vms v ON v.id = b.vm_id AND ($4::text IS NULL OR v.tenant_id = $4)
                               LEFT JOIN vm_instances i ON i.vm_id = v.id AND i.epoch = b.epoch),
            leased AS (UPDATE vm_instances i SET lease_until = clock_timestamp() + $5::float8 * interval '1 millisecond'
                        FROM (SELECT epoch FROM known WHERE ok AND lease_until < clock_timestamp() + ($5::float8 - $6::float8) * interval '1 millisecond' ORDER BY id) k
                        WHERE i.epoch = k.epoch)
       SELECT vm_id, current_epoch, desired_state, state, conn_gen, sent_seq, ok FROM known`,
      [
        beats.map((beat) => beat.vmId),
        beats.map((beat) => beat.epoch),
        beats.map((beat) => beat.connGen),
        tenant ?? null,
        this.leaseMs,
        Math.min(LEASE_BATCH_MS, this.leaseMs / 6),
      ],
    );
    // In a statement of its own: everybody else locks the VM before its incarnation.
    const back = rows.filter(({ ok, state }) => ok && state === 'suspect').map((row) => row.vm_id);
    if (back.length > 0) await this.database.query('beat_wake', `UPDATE vms SET ${WAKE} WHERE id = ANY ($1) AND state = 'suspect'`, [back]);
    const byVm = new Map(rows.map((row) => [row.vm_id, row]));
    return beats.map((beat) => answerOf(beat, byVm.get(beat.vmId)));
  }

  async readOutbox(key: WireKey, connGen: number, after: number, limit: number): Promise<OutboxPage | undefined> {
    const [incarnation] = await this.database.query<{ sent_seq: number; conn_gen: number; tenant_id: string; provider: string }>(
      'outbox_reader',
      `SELECT i.sent_seq, i.conn_gen, v.tenant_id, i.provider FROM vms v JOIN vm_instances i ON i.vm_id = v.id AND i.epoch = v.current_epoch
        WHERE v.id = $1 AND v.current_epoch = $2 AND i.phase IN ('creating', 'running') AND ($3::text IS NULL OR v.tenant_id = $3)`,
      [key.vmId, key.epoch, key.tenant ?? null],
    );
    if (incarnation === undefined) return undefined;
    const { sent_seq: head, tenant_id: tenant, provider } = incarnation;
    if (incarnation.conn_gen !== connGen || after >= head) return { frames: [], head, tenant, provider };
    const rows = await this.database.query<{ seq: number; body: { type: string } & Record<string, unknown> }>(
      'outbox_page',
      `SELECT p.seq, p.body FROM (
         SELECT f.seq, f.body, f.bytes, sum(f.bytes) OVER (ORDER BY f.seq) AS bytes_so_far
           FROM (SELECT seq, body, octet_length(body::text) AS bytes FROM vm_outbox WHERE vm_id = $1 AND epoch = $2 AND seq > $3 ORDER BY seq LIMIT $4) AS f) AS p
        WHERE p.bytes_so_far <= $5 OR p.bytes_so_far = p.bytes ORDER BY p.seq`,
      [key.vmId, key.epoch, after, limit, PAGE_BYTES],
    );
    return { frames: rows.map((row) => ({ fseq: row.seq, frame: row.body })), head, tenant, provider };
  }

  async ackOutbox(key: WireKey, upTo: number): Promise<void> {
    if (key.tenant !== undefined) {
      const [own] = await this.database.query('outbox_ack_tenant', 'SELECT 1 FROM vms WHERE id = $1 AND tenant_id = $2', [key.vmId, key.tenant]);
      if (own === undefined) return;
    }
    await acknowledge(this.database, key, upTo);
  }
}

async function acknowledge(db: Pick<Tx, 'query'>, key: WireKey, upTo: number): Promise<void> {
  if (upTo <= 0) return;
  await db.query('outbox_ack', 'UPDATE vm_outbox SET acked_at = clock_timestamp() WHERE vm_id = $1 AND epoch = $2 AND seq <= $3 AND acked_at IS NULL', [
    key.vmId,
    key.epoch,
    upTo,
  ]);
}

function answerOf(beat: Beat, row: BeatRow | undefined): BeatAnswer {
  if (row === undefined || row.current_epoch === null) return { vmId: beat.vmId, status: 'unknown', currentEpoch: 0, outboxHead: 0, desired: 'terminated' };
  const replaced = row.current_epoch === beat.epoch && row.conn_gen !== null && row.conn_gen > beat.connGen;
  return {
    vmId: beat.vmId,
    status: row.ok ? 'ok' : replaced ? 'replaced' : 'fenced',
    currentEpoch: row.current_epoch,
    outboxHead: row.sent_seq ?? 0,
    desired: row.desired_state ?? 'terminated',
  };
}
