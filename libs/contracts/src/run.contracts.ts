import { z } from 'zod';
import { SessionKey, Ulid, UserId } from './common.js';
import { defineCommand } from './define.js';
import { AttachmentInfo } from './routing-shapes.js';

const domain = 'run';

const RunAddress = z.object({ sessionId: Ulid, sessionKey: SessionKey, owner: UserId, agentId: z.string(), runId: z.string().min(1).max(256) });

/** One earlier message handed to the agent as context. */
export const HistoryMessage = z.object({ role: z.enum(['user', 'assistant', 'system', 'tool']), text: z.string() });

/** A model to ask when the one before it fails. Without a provider: its name is for the runtime's own endpoint. */
export const FallbackModel = z.object({
  model: z.string().min(1).max(256).describe('Name of the model at its provider.'),
  provider: z.string().max(128).optional(),
  contextTokens: z.number().int().min(1).optional().describe('Tokens that it can read, where that is configured.'),
});

export const startRun = defineCommand({
  domain,
  name: 'start',
  version: 1,
  key: ['sessionId'],
  summary:
    'Start one run on the VM of its owner. Routing releases it only when the session is free, so one run at a time per session is on its way. The scheduler ensures the VM, starts the session there and queues the message in the VM outbox, once per run.',
  data: RunAddress.extend({
    message: z.string(),
    attachments: z.array(AttachmentInfo).max(256).optional().describe('Files of the message, in its order; the runtime reads them when it needs them.'),
    history: z.array(HistoryMessage).max(200).describe('Oldest first, without the message itself.'),
    extraSystemPrompt: z.string().optional(),
    systemPrompt: z.string().optional(),
    model: z.string().optional().describe('Name of the model at its provider.'),
    modelProvider: z
      .string()
      .max(128)
      .optional()
      .describe("Provider in the tenant's configuration that offers the model; its address and key are looked up when the message leaves for the VM."),
    contextTokens: z.number().int().min(1).optional().describe('Tokens that the model can read, where that is configured.'),
    fallbacks: z.array(FallbackModel).max(32).optional().describe('Models to ask in turn when the one before fails.'),
    scopeKey: z.string().default('user').describe('user | agent:<id> | session:<id> | shared; decides whose VM.'),
    timeoutMs: z.number().int().min(1_000).default(600_000).describe('Without any event for so long the run ends as RUN_TIMEOUT.'),
  }),
  examples: [
    {
      sessionId: '01jd2x3y4z5a6b7c8d9e0f1g2h',
      sessionKey: 'agent:main:main',
      owner: 'me',
      agentId: 'main',
      runId: 'c0ffee-1',
      message: 'Hello',
      history: [],
    },
  ],
});

export const cancelRunCommand = defineCommand({
  domain,
  name: 'cancel',
  version: 1,
  key: ['sessionId'],
  summary: 'Stop a started run. One that overtakes its start is remembered. A run that is over is left alone.',
  data: RunAddress.extend({ reason: z.string().max(200) }),
  examples: [{ sessionId: '01jd2x3y4z5a6b7c8d9e0f1g2h', sessionKey: 'agent:main:main', owner: 'me', agentId: 'main', runId: 'c0ffee-1', reason: 'user' }],
});

export const steerRun = defineCommand({
  domain,
  name: 'steer',
  version: 1,
  key: ['sessionId'],
  summary: 'Hand a further message to a run that is going on.',
  data: RunAddress.extend({ message: z.string().min(1) }),
  examples: [
    { sessionId: '01jd2x3y4z5a6b7c8d9e0f1g2h', sessionKey: 'agent:main:main', owner: 'me', agentId: 'main', runId: 'c0ffee-1', message: 'In French, please.' },
  ],
});
