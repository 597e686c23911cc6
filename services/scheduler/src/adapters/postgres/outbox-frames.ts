import type { Tx } from '@plexus/database';
import type { RunRow } from '../../application/ports.js';
import { cancelFrame, startSessionFrame, steerFrame, userMessageFrame } from '../../domain/run-frames.js';
import { storableJson } from '../../domain/storable-json.js';

/** A downlink frame before it has its number. */
export interface QueuedFrame {
  readonly type: string;
  readonly sessionId: string | null;
  readonly runId: string | null;
  readonly body: object;
}

/** An incarnation that takes frames. */
export interface Recipient {
  /** Null until its first connection. */
  readonly attachedAt: Date | null;
}

/**
 * Appends frames for one incarnation, numbered on from its last, and returns it; undefined when that incarnation takes none any more. Its row
 * is locked until the transaction ends, so numbers follow commits and have no gap.
 */
export async function queueFrames(tx: Tx, vmId: string, epoch: number, frames: readonly QueuedFrame[]): Promise<Recipient | undefined> {
  const [instance] = await tx.query<{ sent_seq: number; attached_at: Date | null }>(
    'outbox_number',
    `UPDATE vm_instances SET sent_seq = sent_seq + $3 WHERE vm_id = $1 AND epoch = $2 AND phase IN ('creating', 'running') RETURNING sent_seq, attached_at`,
    [vmId, epoch, frames.length],
  );
  if (instance === undefined) return undefined;
  const first = instance.sent_seq - frames.length + 1;
  await tx.query(
    'outbox_insert',
    `INSERT INTO vm_outbox (vm_id, epoch, seq, type, session_id, run_id, body)
     SELECT $1, $2, $3 + f.position - 1, f.type, f.session_id, f.run_id, f.body::jsonb
       FROM unnest($4::text[], $5::text[], $6::text[], $7::text[]) WITH ORDINALITY AS f (type, session_id, run_id, body, position)`,
    [
      vmId,
      epoch,
      first,
      frames.map((frame) => frame.type),
      frames.map((frame) => frame.sessionId),
      frames.map((frame) => frame.runId),
      frames.map((frame) => storableJson(frame.body)),
    ],
  );
  return { attachedAt: instance.attached_at };
}

/** Everything an incarnation needs for a run: the session unless it has it, the message, and what was said since. */
export function framesOf(
  run: RunRow,
  how: {
    readonly startSession: boolean;
    readonly resumeFrom: number | undefined;
    readonly snapshot?: { readonly version: number; readonly body?: unknown } | undefined;
  },
): QueuedFrame[] {
  const input = { ...run, ...run.command, traceparent: run.traceparent, snapshot: how.snapshot };
  const frame = (body: { readonly type: string }): QueuedFrame => ({ type: body.type, sessionId: run.sessionId, runId: run.runId, body });
  return [
    ...(how.startSession ? [{ ...frame(startSessionFrame(input)), runId: null }] : []),
    frame(userMessageFrame(input, how.resumeFrom === undefined ? undefined : { runSeqFrom: how.resumeFrom })),
    ...run.steers.map((steer) => frame(steerFrame(run.sessionId, run.runId, steer))),
  ];
}

export function framesOfCancel(run: { readonly sessionId: string; readonly runId: string }, reason: string): QueuedFrame[] {
  return [{ type: 'cancel', sessionId: run.sessionId, runId: run.runId, body: cancelFrame(run.sessionId, run.runId, reason) }];
}

export function framesOfSteer(
  run: { readonly sessionId: string; readonly runId: string },
  steer: { readonly id: string; readonly message: string },
): QueuedFrame[] {
  return [{ type: 'user_message', sessionId: run.sessionId, runId: run.runId, body: steerFrame(run.sessionId, run.runId, steer) }];
}
