import { z } from 'zod';

/** Frame number of the reliable profile: per VM incarnation and direction, from 1, contiguous across reconnects and gateways. */
export const Fseq = z.number().int().min(1);
/** Highest contiguous frame number that a side has made durable; 0 = none yet. */
export const Fack = z.number().int().min(0);
export const SessionId = z.string().min(1).max(256);
export const RunId = z.string().min(1).max(256);
export const RequestId = z.string().min(1).max(256);

/** What any frame may carry in the reliable profile. */
export const reliable = { fseq: Fseq.optional(), fack: Fack.optional() };

/** A provider key, sealed for one VM incarnation. */
export const Encrypted = z.looseObject({
  alg: z.literal('aes-256-gcm'),
  kdf: z.literal('hkdf-sha256'),
  salt: z.string().max(64).optional().describe('Of the key of this box alone.'),
  iv: z.string().max(64),
  tag: z.string().max(64),
  ciphertext: z.string().max(65_536),
});
export type Encrypted = z.infer<typeof Encrypted>;

export const RemoteError = z.looseObject({ code: z.string().max(128), message: z.string() });

/** An earlier message of the conversation. `content` is the wire name; `text` is accepted for peers that relay transcripts. */
export const HistoryMessage = z.looseObject({
  role: z.enum(['user', 'assistant', 'system', 'tool']),
  content: z.string().optional(),
  text: z.string().optional(),
});
export type HistoryMessage = z.infer<typeof HistoryMessage>;

/** The words of a history message, whichever of the two names they came under. */
export function historyText(message: HistoryMessage): string {
  return message.content ?? message.text ?? '';
}

export const AgentSettings = z.looseObject({
  system_prompt: z.string().max(200_000).nullish(),
  model: z.string().max(256).nullish(),
  fallback_model: z
    .string()
    .max(256)
    .nullish()
    .describe('Asked at the same endpoint when `model` fails. A message that brings fallbacks of its own counts instead.'),
  fallbacks: z.array(z.string().max(256)).max(32).nullish().describe('Likewise several, in this order, before `fallback_model`.'),
  temperature: z.number().min(0).max(2).nullish(),
  max_tokens: z.number().int().min(1).nullish(),
  context_tokens: z.number().int().min(1).nullish().describe('Most tokens of a conversation that go to the model; it can only lower the window.'),
  context_pruning: z
    .enum(['off', 'cache-ttl'])
    .nullish()
    .catch(undefined)
    .describe('Whether old results of tools give way; off unless set. Counts when a session starts.'),
});
export type AgentSettings = z.infer<typeof AgentSettings>;

export const SkillIndexEntry = z.looseObject({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  version: z.string(),
  source: z.string(),
  file_inventory: z.looseObject({
    has_skill_md: z.boolean(),
    has_scripts: z.boolean(),
    has_references: z.boolean(),
    script_files: z.array(z.string()),
    reference_files: z.array(z.string()),
  }),
  requires: z.looseObject({ binaries: z.array(z.string()), env_vars: z.array(z.string()) }),
  hash: z.string().max(128).optional().describe('Of the package; a copy in the workspace that has it needs no new one.'),
});
export type SkillIndexEntry = z.infer<typeof SkillIndexEntry>;
