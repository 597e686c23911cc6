import { type ModelChoice, ownerKeyOf, resolveModel, resolveSandbox, resolveSystemPrompt, type TenantConfig } from '@plexus/agent-config';
import { type InputOf, plexusError, type runContracts } from '@plexus/contracts';
import type { AttachmentInfo } from './run-request.js';
import { jsonBytes } from './text-limits.js';

/** What the command may weigh in all; the rest of the 1 MiB of a NATS message is for the envelope and for parking it. */
const MAX_COMMAND_BYTES = 768 * 1024;

export interface HistoryLimits {
  readonly messages: number;
  readonly bytes: number;
}

export type HistoryMessage = InputOf<typeof runContracts.startRun>['history'][number];

/** What is known of a run when it is handed out. */
export interface StartableRun {
  readonly sessionId: string;
  readonly sessionKey: string;
  readonly owner: string;
  readonly agentId: string;
  readonly runId: string;
  readonly message: string;
  readonly extraSystemPrompt?: string | undefined;
  readonly timeoutMs: number;
  readonly attachments?: readonly AttachmentInfo[] | undefined;
}

/**
 * Composes `cmd run.start` as the configuration says: prompt, model with its provider, and whose VM. `history` is oldest first; of what does not fit, the oldest is left out.
 * Throws PAYLOAD_TOO_LARGE when message and prompts alone are more than one command carries.
 */
export function composeRunStart(
  run: StartableRun,
  config: TenantConfig | undefined,
  history: readonly HistoryMessage[],
  limits: HistoryLimits,
): InputOf<typeof runContracts.startRun> {
  const systemPrompt = config && resolveSystemPrompt(config, run.agentId);
  const { model, provider, contextTokens, fallbacks = [] } = config === undefined ? {} : resolveModel(config, run.agentId);
  const attachments = [...(run.attachments ?? [])];
  const fixed = [run.message, ...attachments.map((one) => JSON.stringify(one)), run.extraSystemPrompt, systemPrompt].reduce(
    (sum, text) => sum + (text === undefined ? 0 : jsonBytes(text)),
    0,
  );
  if (fixed > MAX_COMMAND_BYTES) throw plexusError('PAYLOAD_TOO_LARGE', { details: { bytes: fixed, maxBytes: MAX_COMMAND_BYTES } });
  return {
    sessionId: run.sessionId,
    sessionKey: run.sessionKey,
    owner: run.owner,
    agentId: run.agentId,
    runId: run.runId,
    message: run.message,
    ...(attachments.length === 0 ? {} : { attachments }),
    history: newestThatFit(history, { messages: limits.messages, bytes: Math.min(limits.bytes, MAX_COMMAND_BYTES - fixed) }),
    ...(run.extraSystemPrompt === undefined ? {} : { extraSystemPrompt: run.extraSystemPrompt }),
    ...(systemPrompt === undefined ? {} : { systemPrompt }),
    ...(model === undefined ? {} : { model }),
    ...(provider === undefined ? {} : { modelProvider: provider }),
    ...(contextTokens === undefined ? {} : { contextTokens }),
    ...(fallbacks.length === 0 ? {} : { fallbacks: fallbacks.map(fallbackOf) }),
    scopeKey: config === undefined ? 'user' : ownerKeyOf(resolveSandbox(config, run.agentId).scope, run),
    timeoutMs: run.timeoutMs,
  };
}

function fallbackOf({ model, provider, contextTokens }: ModelChoice): NonNullable<InputOf<typeof runContracts.startRun>['fallbacks']>[number] {
  return { model, ...(provider === undefined ? {} : { provider }), ...(contextTokens === undefined ? {} : { contextTokens }) };
}

/** The newest messages, oldest first, whose texts (and what is said of their files) fit into the limits together. */
export function newestThatFit<M extends { readonly text: string; readonly attachments?: unknown }>(messages: readonly M[], limits: HistoryLimits): M[] {
  let from = messages.length;
  for (let bytes = 0; from > 0 && messages.length - from < limits.messages; from -= 1) {
    const { text, attachments } = messages[from - 1] as M;
    bytes += jsonBytes(text) + (attachments === undefined ? 0 : Buffer.byteLength(JSON.stringify(attachments)));
    if (bytes > limits.bytes) break;
  }
  return messages.slice(from);
}
