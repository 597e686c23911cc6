import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, memorySessionContracts, type ReplyOf, SCOPES } from '@plexus/contracts';
import { KeepSessions } from '../../application/keep-sessions.js';
import type { KeptMessage, SessionRecord } from '../../application/session-ports.js';
import { callerOf } from './caller.js';

const { appendSession, flushSession, compactSession, sessionMessages } = memorySessionContracts;

/** One answer must fit one message of the bus. */
const MAX_PAGE_BYTES = 768 * 1024;

@Controller()
export class SessionsController {
  constructor(private readonly sessions: KeepSessions) {}

  @Rpc(appendSession)
  async append(@Payload() { messages, window, ...session }: DataOf<typeof appendSession>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof appendSession>> {
    const { appended, duplicates, record, steps } = await this.sessions.append(callerOf(context, SCOPES.write), session, messages, window);
    return { appended, duplicates, marks: marksOf(record), steps };
  }

  @Rpc(flushSession)
  async flush(@Payload() { sessionId, owner, upto }: DataOf<typeof flushSession>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof flushSession>> {
    const { range, episodes, record } = await this.sessions.flush(callerOf(context, SCOPES.write), sessionId, owner, upto);
    return { ...(range === undefined ? {} : { flushed: range }), episodes, marks: marksOf(record) };
  }

  @Rpc(compactSession)
  async compact(
    @Payload() { sessionId, owner, ...request }: DataOf<typeof compactSession>,
    @Ctx() context: RpcContext,
  ): Promise<ReplyOf<typeof compactSession>> {
    const { record, ...done } = await this.sessions.compact(callerOf(context, SCOPES.write), sessionId, owner, request);
    return { ...done, marks: marksOf(record) };
  }

  @Rpc(sessionMessages)
  async messages(
    @Payload() { sessionId, owner, ...page }: DataOf<typeof sessionMessages>,
    @Ctx() context: RpcContext,
  ): Promise<ReplyOf<typeof sessionMessages>> {
    const { messages, record, more } = await this.sessions.messages(callerOf(context, SCOPES.read), sessionId, owner, page);
    const fitting = withinBytes(messages.map(toContract));
    const last = fitting.at(-1);
    return { messages: fitting, marks: marksOf(record), ...((more || fitting.length < messages.length) && last ? { nextAfter: last.seq } : {}) };
  }
}

type WireMessage = ReplyOf<typeof sessionMessages>['messages'][number];

function toContract({ toolCalls, at, untrusted: _untrusted, images: _images, toolFailed: _failed, runtimeOnly: _only, ...message }: KeptMessage): WireMessage {
  return { ...message, at: at.toISOString(), ...(toolCalls === undefined ? {} : { toolCalls: toolCalls.map((call) => ({ ...call })) }) };
}

function withinBytes(messages: readonly WireMessage[]): WireMessage[] {
  let bytes = 0;
  const end = messages.findIndex((message) => {
    bytes += Buffer.byteLength(JSON.stringify(message));
    return bytes > MAX_PAGE_BYTES;
  });
  return messages.slice(0, end < 0 ? messages.length : Math.max(1, end));
}

function marksOf({ lastSeq, flushedUpto, compactedUpto, compactions, summary }: SessionRecord) {
  return { lastSeq, flushedUpto, compactedUpto, compactions, ...(summary === undefined ? {} : { summary }) };
}
