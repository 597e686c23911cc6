import { z } from 'zod';
import { Fack, Fseq, reliable, RequestId, RunId, SessionId } from './frame-parts.js';
import { SpansFrame } from './vm-spans.js';

/** Frames from the VM to the mesh. Unknown fields are kept: a runtime may be newer than the gateway. */

export const SessionReport = z.looseObject({
  session_id: SessionId,
  run_id: RunId.optional(),
  run_state: z.string().max(64),
  snapshot_version: z.number().int().min(0),
});
export type SessionReport = z.infer<typeof SessionReport>;

const ReliableAuth = z.object({
  vm_id: z.string().min(1).max(64),
  epoch: z.number().int().min(1),
  client_nonce: z.string().min(8).max(128),
  recv_seq: Fack,
  sent_seq: Fack,
});

/** First frame of every connection. With `protocol: 2` the fields of the reliable profile are required. */
export const AuthFrame = z
  .looseObject({
    type: z.literal('auth'),
    token: z.string().min(1).max(8_192),
    protocol: z.number().int().min(1).max(1_000).optional(),
    vm_id: z.string().min(1).max(64).optional(),
    epoch: z.number().int().min(1).optional(),
    client_nonce: z.string().min(8).max(128).optional().describe('Same value on every attempt of one process: lets a lost first answer be repeated.'),
    recv_seq: Fack.optional().describe('Highest contiguous downlink frame in the journal.'),
    sent_seq: Fack.optional().describe('Highest uplink frame number ever assigned.'),
    sessions: z.array(SessionReport).max(1_000).optional(),
  })
  .superRefine((frame, context) => {
    if ((frame.protocol ?? 1) < 2) return;
    const missing = ReliableAuth.safeParse(frame);
    if (missing.success) return;
    for (const issue of missing.error.issues) context.addIssue({ code: 'custom', path: issue.path, message: `${issue.message} (required by protocol 2)` });
  });

export const ResumeFrame = z.looseObject({ type: z.literal('resume'), pending_ids: z.array(RequestId).max(1_000), last_seq: Fack.optional() });

export const HeartbeatFrame = z.looseObject({ type: z.literal('heartbeat'), active_sessions: z.array(SessionId).max(1_000), fack: Fack.optional() });

/** One UI event, already serialised in `data`. `run_id` and `run_seq` come with the reliable profile, `seq` with plain runtimes that number per session. */
export const SseEventFrame = z.looseObject({
  type: z.literal('sse_event'),
  session_id: SessionId,
  data: z.string(),
  seq: z.number().int().min(1).optional(),
  run_id: RunId.optional(),
  run_seq: z.number().int().min(1).optional(),
  traceparent: z.string().max(128).optional().describe('The trace that the message came with.'),
  ...reliable,
});

export const RequestFrame = z.looseObject({
  type: z.literal('request'),
  id: RequestId,
  session_id: SessionId,
  method: z.string().min(1).max(128),
  params: z.looseObject({}).default({}),
  traceparent: z.string().max(128).optional().describe('The span that asks; of a trace that came with a message.'),
  ...reliable,
});

export const FireAndForgetFrame = z.looseObject({
  type: z.literal('fire_and_forget'),
  session_id: SessionId,
  method: z.string().min(1).max(128),
  params: z.looseObject({}).default({}),
  id: RequestId.optional(),
  ...reliable,
});

/** Acknowledges every frame up to and including `fack`. */
export const FrameAckFrame = z.looseObject({ type: z.literal('ack'), fack: Fack });
/** Asks for everything from `expected` on: the receiver has a gap there. */
export const NackFrame = z.looseObject({ type: z.literal('nack'), expected: Fseq });

export const RunAcceptedFrame = z.looseObject({ type: z.literal('run_accepted'), session_id: SessionId, run_id: RunId, ...reliable });
export const RunRejectedFrame = z.looseObject({
  type: z.literal('run_rejected'),
  session_id: SessionId,
  run_id: RunId,
  code: z.string().max(128),
  message: z.string().optional(),
  ...reliable,
});
export const CancelAckFrame = z.looseObject({
  type: z.literal('cancel_ack'),
  session_id: SessionId,
  run_id: RunId.optional(),
  state: z.string().max(64),
  ...reliable,
});
export const ConfigAckFrame = z.looseObject({
  type: z.literal('config_ack'),
  session_id: SessionId.optional(),
  applied: z.array(z.string()),
  deferred: z.array(z.string()),
  rejected: z.array(z.string()),
  restart_required: z.boolean(),
  ...reliable,
});

/** Every frame a VM may send. */
export const VM_FRAMES = {
  auth: AuthFrame,
  resume: ResumeFrame,
  heartbeat: HeartbeatFrame,
  sse_event: SseEventFrame,
  request: RequestFrame,
  fire_and_forget: FireAndForgetFrame,
  ack: FrameAckFrame,
  nack: NackFrame,
  run_accepted: RunAcceptedFrame,
  run_rejected: RunRejectedFrame,
  cancel_ack: CancelAckFrame,
  config_ack: ConfigAckFrame,
  spans: SpansFrame,
} as const;

export type VmFrameType = keyof typeof VM_FRAMES;
export type VmFrame = { [T in VmFrameType]: z.infer<(typeof VM_FRAMES)[T]> }[VmFrameType];
export type VmFrameOf<T extends VmFrameType> = z.infer<(typeof VM_FRAMES)[T]>;
