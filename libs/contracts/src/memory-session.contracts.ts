import { z } from 'zod';
import { Instant, SessionKey, Ulid, UserId } from './common.js';
import { defineRpc } from './define.js';

const domain = 'memory';

const Owner = UserId.optional().describe("Whose it is; absent: the calling user. Only services and administrators may name somebody else's.");
const Position = z.number().int().min(0);

const ToolCall = z.object({ id: z.string().min(1).max(256), name: z.string().min(1).max(256), arguments: z.string().max(200_000).optional() });

const NewSessionMessage = z.object({
  messageId: z.string().min(1).max(256).describe('Unique within the session: appending it again appends nothing.'),
  role: z.enum(['user', 'assistant', 'system', 'tool']),
  text: z.string().max(200_000),
  at: Instant.optional().describe('Absent: now.'),
  runId: z.string().max(256).optional(),
  toolCalls: z.array(ToolCall).max(64).optional(),
  toolCallId: z.string().min(1).max(256).optional().describe('The call that a tool message answers.'),
  toolName: z.string().max(256).optional(),
});

export const SessionMessage = NewSessionMessage.extend({
  seq: z.number().int().min(1).describe('Position in the session, from 1, without gaps.'),
  at: Instant,
  tokens: z.number().int().min(0).describe('Estimated.'),
});

/** How far a session is kept as memories, and how far it has left the context. */
export const SessionMarks = z.object({
  lastSeq: Position,
  flushedUpto: Position.describe('Messages up to here are memories, found by their words.'),
  compactedUpto: Position.describe('Messages up to here have left the context; never beyond `flushedUpto`.'),
  compactions: z.number().int().min(0),
  summary: z.string().optional().describe('What stands in the context for what has left it.'),
});

const Window = z
  .object({
    tokens: z.number().int().min(1).max(100_000_000).describe('Of the model that answers in this session.'),
    reserveTokens: z.number().int().min(0).max(100_000_000).optional().describe('Room wished for the answer; the thresholds follow from both.'),
  })
  .optional();

const Range = z.object({ from: Position, to: Position });

export const appendSession = defineRpc({
  domain,
  name: 'session-append',
  version: 1,
  summary:
    'Appends messages to what memory keeps of a session, and then flushes and compacts as far as the thresholds of the window ask for. Transcripts come in by themselves; this is for what is in no transcript.',
  data: z.object({
    sessionId: Ulid,
    sessionKey: SessionKey,
    agentId: z.string().max(256).optional(),
    owner: Owner,
    messages: z.array(NewSessionMessage).min(1).max(100),
    window: Window,
  }),
  response: z.object({ appended: z.number().int(), duplicates: z.number().int(), marks: SessionMarks, steps: z.array(z.enum(['flush', 'compact'])) }),
  timeoutMs: 30_000,
  idempotent: true,
  errors: ['SESSION_NOT_FOUND'],
  examples: [
    {
      sessionId: '01jd2x3y4z5a6b7c8d9e0f1g2h',
      sessionKey: 'agent:main:main',
      messages: [{ messageId: 'm1', role: 'user', text: 'Where is the backup kept?' }],
    },
  ],
});

export const flushSession = defineRpc({
  domain,
  name: 'session-flush',
  version: 1,
  summary: 'Keeps the messages of a session that are no memories yet as episodes, so that they are found after they have left the context.',
  data: z.object({ sessionId: Ulid, owner: Owner, upto: Position.optional().describe('Absent: all there are.') }),
  response: z.object({ flushed: Range.optional().describe('Absent: there was nothing to keep.'), episodes: z.number().int(), marks: SessionMarks }),
  timeoutMs: 30_000,
  idempotent: true,
  errors: ['SESSION_NOT_FOUND'],
  examples: [{ sessionId: '01jd2x3y4z5a6b7c8d9e0f1g2h' }],
});

export const compactSession = defineRpc({
  domain,
  name: 'session-compact',
  version: 1,
  summary:
    'Lets the older part of a session leave the context; it is flushed first, always. Tool calls stay with their results. The messages themselves are kept until their retention ends.',
  data: z.object({
    sessionId: Ulid,
    owner: Owner,
    upto: Position.optional().describe('Absent: so much that the rest takes half of the window.'),
    summary: z.string().min(1).max(60_000).optional().describe('What a model made of it; kept as a memory of kind summary as well.'),
    window: Window,
  }),
  response: z.object({ flushed: Range.optional(), compacted: Range.optional().describe('Absent: nothing could leave.'), marks: SessionMarks }),
  timeoutMs: 30_000,
  idempotent: true,
  errors: ['SESSION_NOT_FOUND'],
  examples: [{ sessionId: '01jd2x3y4z5a6b7c8d9e0f1g2h', window: { tokens: 128_000 } }],
});

export const sessionMessages = defineRpc({
  domain,
  name: 'session-messages',
  version: 1,
  summary: 'Messages that memory keeps of a session, oldest first, with how far they were flushed and compacted.',
  data: z.object({
    sessionId: Ulid,
    owner: Owner,
    after: Position.optional().describe('Absent: behind what has left the context; 0: from the beginning.'),
    limit: z.number().int().min(1).max(500).default(100),
  }),
  response: z.object({ messages: z.array(SessionMessage), marks: SessionMarks, nextAfter: Position.optional().describe('Present when there is more.') }),
  idempotent: true,
  errors: ['SESSION_NOT_FOUND'],
  examples: [{ sessionId: '01jd2x3y4z5a6b7c8d9e0f1g2h', after: 0 }],
});

const run = z.string().min(1).max(256).describe('The run, or whatever else the values belong to.');
const name = z.string().min(1).max(256);
const expectVersion = z.number().int().min(0).optional().describe('The write takes place only when the value has this version; 0: when there is none.');
const StateEntry = z.object({
  name: z.string(),
  version: z.number().int().min(1).describe('Grows with every change, also across a deletion.'),
  bytes: z.number().int().min(0),
  hash: z.string().describe('SHA-256 of the value, hexadecimal.'),
});

export const putState = defineRpc({
  domain,
  name: 'state-put',
  version: 1,
  summary: 'Writes one value of a run. Of two writers that expect the same version exactly one succeeds; the other gets CONFLICT.',
  data: z.object({
    run,
    name,
    value: z.string().max(700_000).describe('What is longer is written in parts, the rest by state-append.'),
    expectVersion,
    owner: Owner,
  }),
  response: z.object({ entry: StateEntry }),
  errors: ['CONFLICT', 'VALUE_TOO_LARGE'],
  examples: [{ run: 'r1', name: 'plan', value: '1. look\n2. leap', expectVersion: 0 }],
});

export const appendState = defineRpc({
  domain,
  name: 'state-append',
  version: 1,
  summary: 'Appends to a value of a run; without one it begins there.',
  data: z.object({ run, name, text: z.string().max(700_000), expectVersion, owner: Owner }),
  response: z.object({ entry: StateEntry }),
  errors: ['CONFLICT', 'VALUE_TOO_LARGE'],
  examples: [{ run: 'r1', name: 'log', text: 'step 1 done\n' }],
});

export const getState = defineRpc({
  domain,
  name: 'state-get',
  version: 1,
  summary: 'One value of a run, a long one in pieces.',
  data: z.object({ run, name, offset: Position.default(0).describe('In bytes of UTF-8, as `nextOffset` of the piece before said.'), owner: Owner }),
  response: z.object({
    entry: StateEntry,
    value: z.string(),
    nextOffset: Position.optional().describe('Present when this is not the end. A piece of another version does not belong to the ones before.'),
  }),
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [{ run: 'r1', name: 'plan' }],
});

export const listState = defineRpc({
  domain,
  name: 'state-list',
  version: 1,
  summary: 'Values of a run by name, without their contents.',
  data: z.object({
    run,
    prefix: z.string().max(256).default(''),
    after: name.optional().describe('Name of the last entry of the page before.'),
    limit: z.number().int().min(1).max(500).default(200),
    owner: Owner,
  }),
  response: z.object({ entries: z.array(StateEntry), more: z.boolean() }),
  idempotent: true,
  examples: [{ run: 'r1' }],
});

export const deleteState = defineRpc({
  domain,
  name: 'state-delete',
  version: 1,
  summary: 'Removes a value of a run.',
  data: z.object({ run, name, expectVersion, owner: Owner }),
  response: z.object({ deleted: z.boolean() }),
  errors: ['CONFLICT'],
  examples: [{ run: 'r1', name: 'plan' }],
});
