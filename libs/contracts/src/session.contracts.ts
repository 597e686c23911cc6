import { z } from 'zod';
import { Epoch, SessionKey, Ulid, UserId, VmId } from './common.js';
import { defineEvent } from './define.js';
import { TranscriptMessage } from './routing-shapes.js';

const domain = 'session';

/**
 * One UI event of a run, as the runtime serialised it. Types: text_chunk {content}, thinking, tool_call_start, tool_call_complete,
 * skill_call_start, skill_call_complete, execution_complete {content?, cancelled?, usage?}, execution_error {code, error};
 * ours in addition: text_reset {} (what was streamed so far is void), message {text, label?} (injected), epoch_marker {}.
 */
export const RunEvent = z.looseObject({ type: z.string().min(1).max(64) });
export type RunEvent = z.infer<typeof RunEvent>;

export const sessionEvent = defineEvent({
  domain,
  name: 'event',
  version: 1,
  key: ['sessionId'],
  summary:
    'One live event of a session. Read it with an ordered consumer; stream sequence is the Last-Event-ID. Readers drop what carries an epoch lower than the last epoch_marker or comes from another VM than that, and any runSeq they already had. The first end in stream order is the end of the run.',
  data: z.object({
    sessionId: Ulid,
    sessionKey: SessionKey,
    owner: UserId,
    agentId: z.string().optional(),
    runId: z.string().min(1).max(256).optional().describe('Absent for epoch_marker and injected messages.'),
    runSeq: z.number().int().min(1).optional(),
    vmId: VmId.optional(),
    epoch: Epoch.optional().describe('Absent on events of services: those are never dropped.'),
    event: RunEvent,
  }),
  examples: [
    {
      sessionId: '01jd2x3y4z5a6b7c8d9e0f1g2h',
      sessionKey: 'agent:main:main',
      owner: 'me',
      runId: 'c0ffee-1',
      runSeq: 1,
      vmId: 'vm-01jd2x3y4z5a6b7c8d9e0f1g2h',
      epoch: 3,
      event: { type: 'text_chunk', content: 'Hello' },
    },
  ],
});

export const sessionMessage = defineEvent({
  domain,
  name: 'message',
  version: 1,
  key: ['sessionId'],
  summary: 'A message was appended to a transcript. Published once per append from the outbox of routing.',
  data: z.object({ sessionId: Ulid, sessionKey: SessionKey, owner: UserId, agentId: z.string(), message: TranscriptMessage }),
  examples: [
    {
      sessionId: '01jd2x3y4z5a6b7c8d9e0f1g2h',
      sessionKey: 'agent:main:main',
      owner: 'me',
      agentId: 'main',
      message: { messageId: '01jd2x3y4z5a6b7c8d9e0f1g2j', seq: 1, role: 'user', text: 'Hello', runId: 'c0ffee-1', at: '2026-11-21T10:00:00Z' },
    },
  ],
});

export const sessionChanged = defineEvent({
  domain,
  name: 'changed',
  version: 1,
  key: ['sessionId'],
  summary: 'A session was created, reset, relabelled or deleted.',
  data: z.object({
    sessionId: Ulid,
    sessionKey: SessionKey,
    owner: UserId,
    agentId: z.string(),
    change: z.enum(['created', 'reset', 'updated', 'deleted']),
    previousSessionId: Ulid.optional(),
    revokedFrom: UserId.optional().describe('A grant of this user was taken back: who watches the session by it watches no more.'),
  }),
  examples: [{ sessionId: '01jd2x3y4z5a6b7c8d9e0f1g2h', sessionKey: 'agent:main:main', owner: 'me', agentId: 'main', change: 'created' }],
});
