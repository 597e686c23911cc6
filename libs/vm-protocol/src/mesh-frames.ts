import { z } from 'zod';
import { AgentSettings, Encrypted, Fack, HistoryMessage, reliable, RemoteError, RequestId, RunId, SessionId, SkillIndexEntry } from './frame-parts.js';
import { FrameAckFrame, NackFrame } from './vm-frames.js';

/** Frames from the mesh to the VM. Unknown fields are kept: the mesh may be newer than the runtime. */

/**
 * Sent on every connection. The fields of the reliable profile stand beside `data`, as those of `auth` stand beside `token`;
 * `data` is the same in both profiles.
 */
export const InitFrame = z.looseObject({
  type: z.literal('init'),
  data: z.looseObject({
    user_id: z.string().min(1).max(256),
    org_id: z.string().max(256),
    api_keys: z.record(z.string(), Encrypted).default({}).describe('Provider keys of the owner, by name.'),
    previous_api_keys: z.record(z.string(), Encrypted).optional().describe('The same, for an incarnation that was started before the root secret was changed.'),
    llm_config: z
      .looseObject({
        default_model: z.string().nullish(),
        fallback_model: z.string().nullish(),
        providers: z.record(z.string(), z.looseObject({ base_url: z.string().nullish() })).default({}),
      })
      .default({ providers: {} }),
  }),
  protocol: z.number().int().min(1).optional().describe('2 confirms the reliable profile; absent = plain.'),
  conn_gen: z.number().int().min(1).optional(),
  lease_ms: z.number().int().min(1).optional(),
  heartbeat_ms: z.number().int().min(1).optional(),
  server_recv_seq: Fack.optional().describe('Highest contiguous uplink frame that is durable: the VM replays from the next one.'),
  server_sent_seq: Fack.optional().describe('Highest downlink frame number assigned so far.'),
  limits: z.looseObject({}).optional(),
  server_nonce: z.string().max(128).optional(),
});

const ResumeResult = z.discriminatedUnion('status', [
  z.looseObject({ status: z.literal('completed'), data: z.unknown().optional() }),
  z.looseObject({ status: z.literal('failed'), error: RemoteError }),
  z.looseObject({ status: z.literal('pending') }),
  z.looseObject({ status: z.literal('not_found') }),
]);
export const ResumeResponseFrame = z.looseObject({ type: z.literal('resume_response'), results: z.record(RequestId, ResumeResult) });

export const StartSessionData = z.looseObject({
  session_id: SessionId,
  runtime_type: z.enum(['semigraph', 'openclaw']).default('semigraph'),
  agent_id: z.string().min(1).max(256),
  agent_config: AgentSettings.default({}),
  skill_index: z.array(SkillIndexEntry).default([]),
  mcp_servers: z.array(z.looseObject({})).default([]),
  sub_agents: z.array(z.looseObject({})).default([]),
  session_config: z.looseObject({ max_turns: z.number().int().min(1).nullish(), timeout_seconds: z.number().min(1).nullish() }).default({}),
  openclaw_config: z.looseObject({}).nullish(),
  snapshot: z
    .looseObject({ version: z.number().int().min(0), body: z.unknown().optional() })
    .optional()
    .describe('The newest snapshot that the mesh has, for an incarnation that does not know the session. Without `body` it was too large for a frame.'),
});
export type StartSessionData = z.infer<typeof StartSessionData>;

export const StartSessionFrame = z.looseObject({ type: z.literal('start_session'), data: StartSessionData, ...reliable });

export const StopSessionFrame = z.looseObject({
  type: z.literal('stop_session'),
  data: z.looseObject({ session_id: SessionId, reason: z.enum(['user_closed', 'timeout', 'admin']).catch('admin') }),
  ...reliable,
});

/** What boxes of a model endpoint are sealed for; their name is `<session>/<run>/<provider>`. */
export const MODEL_ENDPOINT_PURPOSE = 'model-endpoint';

/** Where the model of a run is: sealed `{"baseUrl","apiKey"?}`, or why that cannot be said. Both absent: nothing is known of the provider. */
export const ModelEndpointOffer = z.looseObject({
  provider: z.string().max(128).describe('Its name in the configuration.'),
  sealed: z.array(Encrypted).max(2).optional().describe('The same text for each bootstrap secret that the incarnation may have.'),
  fault: z
    .looseObject({ code: z.string().max(128), message: z.string().max(2_000) })
    .optional()
    .describe('The run ends with it.'),
});
export type ModelEndpointOffer = z.infer<typeof ModelEndpointOffer>;

/** A model to ask when the one before it fails, with its endpoint. Without a provider: the name is for the endpoint that the runtime was started with. */
export const FallbackModelOffer = z.looseObject({
  model: z.string().min(1).max(256).describe('Its name at the provider.'),
  ...ModelEndpointOffer.partial({ provider: true }).shape,
  context_window: z.number().int().min(1).nullish().describe('Tokens that it can read, where that is configured.'),
});
export type FallbackModelOffer = z.infer<typeof FallbackModelOffer>;

/** A file that a message brought along. */
export const MessageAttachment = z.looseObject({
  attachment_id: z.string().min(1).max(64),
  name: z.string().min(1).max(256),
  mime_type: z.string().min(1).max(128),
  bytes: z.number().int().min(1),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type MessageAttachment = z.infer<typeof MessageAttachment>;

/** What goes with a message. All optional: a plain mesh may send an empty object, and the runtime then names the run itself. */
export const MessageMetadata = z.looseObject({
  run_id: RunId.optional(),
  timeout_ms: z.number().int().min(1).optional().describe('Without any event for so long the run ends as RUN_TIMEOUT.'),
  resume: z.boolean().optional().describe('The run was begun by an earlier incarnation and has no end yet.'),
  run_seq_from: z.number().int().min(1).optional().describe('With `resume`: the run_seq of the first event that this incarnation emits.'),
  system_prompt: z.string().max(200_000).nullish().describe('Replaces that of the session for this run.'),
  extra_system_prompt: z.string().max(200_000).nullish().describe('Added behind the system prompt for this run.'),
  model: z.string().max(256).nullish(),
  model_endpoint: ModelEndpointOffer.nullish().describe('Asked instead of the endpoint that the runtime was started with.'),
  context_window: z.number().int().min(1).nullish().describe('Tokens that `model` can read, where that is configured.'),
  model_endpoints_fallback: z.array(FallbackModelOffer).max(32).nullish().describe('Asked in this order when the model before fails. A fault passes one over.'),
  steer: z.boolean().optional().describe('A further message for the run `run_id`, which is going on.'),
  attachments: z.array(MessageAttachment).max(256).nullish().describe('Files of the message; their bytes come by `get_attachment`.'),
  message_id: z.string().max(256).optional().describe('With `steer`: recognises a message that came twice.'),
  traceparent: z.string().max(128).optional().describe('W3C trace context; comes back on every event of the run.'),
});
export type MessageMetadata = z.infer<typeof MessageMetadata>;

export const UserMessageFrame = z.looseObject({
  type: z.literal('user_message'),
  session_id: SessionId,
  data: z.looseObject({ message: z.string(), history: z.array(HistoryMessage).max(1_000).default([]), metadata: MessageMetadata.default({}) }),
  ...reliable,
});

export const CancelFrame = z.looseObject({
  type: z.literal('cancel'),
  session_id: SessionId,
  data: z.looseObject({ reason: z.string().max(1_000).nullish(), run_id: RunId.optional() }).default({}),
  reason: z.string().max(1_000).nullish(),
  run_id: RunId.optional(),
  ...reliable,
});

export const ConfigUpdateFrame = z.looseObject({
  type: z.literal('config_update'),
  data: z.looseObject({
    session_id: SessionId.optional(),
    agent_config: AgentSettings.optional(),
    skill_index: z.array(SkillIndexEntry).optional().describe('Replaces the whole index.'),
    mcp_servers: z.array(z.looseObject({})).optional().describe('Replaces the whole list.'),
  }),
  ...reliable,
});

export const ResponseFrame = z.looseObject({
  type: z.literal('response'),
  id: RequestId,
  result: z.unknown().optional(),
  error: RemoteError.nullish(),
  ...reliable,
});

/** Plain profile: acknowledges the `seq` of one session. */
export const SessionAckFrame = z.looseObject({ type: z.literal('ack'), session_id: SessionId, seq: z.number().int().min(1) });

export const HeartbeatAckFrame = z.looseObject({
  type: z.literal('heartbeat_ack'),
  server_time: z.number().describe('Milliseconds since the epoch.'),
  lease_until_ms: z.number().optional().describe('Milliseconds since the epoch.'),
  desired: z.string().max(64).optional(),
  fack: Fack.optional(),
});

export const FencedFrame = z.looseObject({ type: z.literal('fenced'), current_epoch: z.number().int().min(0) });
export const SnapshotAckFrame = z.looseObject({ type: z.literal('snapshot_ack'), session_id: SessionId.optional(), version: z.number().int().min(0) });
export const BindFrame = z.looseObject({
  type: z.literal('bind'),
  data: z.looseObject({ user_id: z.string().min(1).max(256), org_id: z.string().max(256), token: z.string().min(1).max(8_192) }),
  ...reliable,
});
/** Take no new runs; running ones may finish within `grace_ms`. With `snapshot` the mesh waits for a `snapshot_sync` of each session. */
export const DrainFrame = z.looseObject({
  type: z.literal('drain'),
  data: z.looseObject({ grace_ms: z.number().int().min(0).optional(), snapshot: z.boolean().optional() }).default({}),
  ...reliable,
});
export const TokenRefreshFrame = z.looseObject({ type: z.literal('token_refresh'), token: z.string().min(1).max(8_192), ...reliable });

/** Every frame the mesh may send. */
export const MESH_FRAMES = {
  init: InitFrame,
  resume_response: ResumeResponseFrame,
  start_session: StartSessionFrame,
  stop_session: StopSessionFrame,
  user_message: UserMessageFrame,
  cancel: CancelFrame,
  config_update: ConfigUpdateFrame,
  response: ResponseFrame,
  ack: z.union([FrameAckFrame, SessionAckFrame]),
  nack: NackFrame,
  heartbeat_ack: HeartbeatAckFrame,
  fenced: FencedFrame,
  snapshot_ack: SnapshotAckFrame,
  bind: BindFrame,
  drain: DrainFrame,
  token_refresh: TokenRefreshFrame,
} as const;

export type MeshFrameType = keyof typeof MESH_FRAMES;
export type MeshFrame = { [T in MeshFrameType]: z.infer<(typeof MESH_FRAMES)[T]> }[MeshFrameType];
export type MeshFrameOf<T extends MeshFrameType> = z.infer<(typeof MESH_FRAMES)[T]>;
