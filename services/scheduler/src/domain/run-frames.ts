import type { FallbackModelOffer, MeshFrameOf, MessageAttachment } from '@plexus/vm-protocol';

/** A file that the message brought along; its bytes stay where they are until the runtime asks for them. */
export interface AttachedFile {
  readonly attachmentId: string;
  readonly name: string;
  readonly mimeType: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** What the frames of a run are made from; the same input gives the same frames for every incarnation. */
export interface RunFrameInput {
  readonly sessionId: string;
  readonly sessionKey: string;
  readonly owner: string;
  readonly agentId: string;
  readonly runId: string;
  readonly message: string;
  readonly history: readonly { readonly role: string; readonly text: string }[];
  readonly systemPrompt?: string | undefined;
  readonly extraSystemPrompt?: string | undefined;
  readonly model?: string | undefined;
  readonly modelProvider?: string | undefined;
  readonly contextTokens?: number | undefined;
  readonly fallbacks?: readonly { readonly model: string; readonly provider?: string | undefined; readonly contextTokens?: number | undefined }[] | undefined;
  readonly timeoutMs: number;
  readonly attachments?: readonly AttachedFile[] | undefined;
  readonly traceparent?: string | undefined;
  /** The session's newest snapshot; without a body when that is too large for a frame. */
  readonly snapshot?: { readonly version: number; readonly body?: unknown } | undefined;
}

type StartSession = MeshFrameOf<'start_session'>;
type UserMessage = MeshFrameOf<'user_message'>;
type Cancel = MeshFrameOf<'cancel'>;
type Role = UserMessage['data']['history'][number]['role'];

/** Makes a session known to an incarnation; sent once per incarnation, before its first message. */
export function startSessionFrame(run: RunFrameInput): StartSession {
  return {
    type: 'start_session',
    data: {
      session_id: run.sessionId,
      session_key: run.sessionKey,
      owner: run.owner,
      runtime_type: 'semigraph',
      agent_id: run.agentId,
      agent_config: {
        ...(run.systemPrompt === undefined ? {} : { system_prompt: run.systemPrompt }),
        ...(run.model === undefined ? {} : { model: run.model }),
      },
      session_config: { timeout_seconds: Math.ceil(run.timeoutMs / 1_000) },
      skill_index: [],
      mcp_servers: [],
      sub_agents: [],
      ...(run.snapshot === undefined ? {} : { snapshot: run.snapshot }),
    },
  };
}

/**
 * The message of a run. With `resume` the incarnation goes on with a run that an earlier one began, and numbers its events from
 * `runSeqFrom`.
 */
export function userMessageFrame(run: RunFrameInput, resume?: { readonly runSeqFrom: number }): UserMessage {
  return {
    type: 'user_message',
    session_id: run.sessionId,
    data: {
      message: run.message,
      history: run.history.map(({ role, text }) => ({ role: role as Role, content: text })),
      metadata: {
        run_id: run.runId,
        timeout_ms: run.timeoutMs,
        ...(run.systemPrompt === undefined ? {} : { system_prompt: run.systemPrompt }),
        ...(run.extraSystemPrompt === undefined ? {} : { extra_system_prompt: run.extraSystemPrompt }),
        ...(run.model === undefined ? {} : { model: run.model }),
        ...(run.modelProvider === undefined ? {} : { model_provider: run.modelProvider }),
        ...(run.contextTokens === undefined ? {} : { context_window: run.contextTokens }),
        ...(run.fallbacks === undefined || run.fallbacks.length === 0 ? {} : { model_endpoints_fallback: run.fallbacks.map(fallbackOffer) }),
        ...(run.attachments === undefined || run.attachments.length === 0 ? {} : { attachments: run.attachments.map(attachmentOf) }),
        ...(run.traceparent === undefined ? {} : { traceparent: run.traceparent }),
        ...(resume === undefined ? {} : { resume: true, run_seq_from: resume.runSeqFrom }),
      },
    },
  };
}

function attachmentOf({ attachmentId, name, mimeType, bytes, sha256 }: AttachedFile): MessageAttachment {
  return { attachment_id: attachmentId, name, mime_type: mimeType, bytes, sha256 };
}

/** Names only; where it is comes in when the message leaves. */
function fallbackOffer({ model, provider, contextTokens }: NonNullable<RunFrameInput['fallbacks']>[number]): FallbackModelOffer {
  return { model, ...(provider === undefined ? {} : { provider }), ...(contextTokens === undefined ? {} : { context_window: contextTokens }) };
}

/** A further message for a run that is going on. `message_id` lets the runtime recognise one that it had already. */
export function steerFrame(sessionId: string, runId: string, steer: { readonly id: string; readonly message: string }): UserMessage {
  return {
    type: 'user_message',
    session_id: sessionId,
    data: { message: steer.message, history: [], metadata: { run_id: runId, steer: true, message_id: steer.id } },
  };
}

export function cancelFrame(sessionId: string, runId: string, reason: string): Cancel {
  return { type: 'cancel', session_id: sessionId, data: { reason, run_id: runId }, reason, run_id: runId };
}
