import { Controller } from '@nestjs/common';
import { Ctx } from '@nestjs/microservices';
import type { Delivery, Outcome } from '@plexus/bus';
import { Consume } from '@plexus/bus/nest';
import { CONSUMERS, type DataOf, sessionContracts } from '@plexus/contracts';
import { KeepSessions } from '../../application/keep-sessions.js';

const { sessionMessage, sessionChanged } = sessionContracts;

/** So often a message waits for the one before it, longer each time and some 43 s in all; then it is taken as it is. Longer than a failed try needs to come again. */
const PATIENCE = 20;
const WAIT_MS = 250;
const LONGEST_WAIT_MS = 3_000;

/** Messages come in from the transcripts. A redelivered one is recognised by its id; an error is tried again for ever. */
@Controller()
export class SessionEventsController {
  constructor(private readonly sessions: KeepSessions) {}

  @Consume(CONSUMERS.memorySessions, { concurrency: 4, contracts: [sessionMessage] })
  async onMessage(@Ctx() { tenant, data, attempt }: Delivery<DataOf<typeof sessionMessage>>): Promise<Outcome> {
    const { message, ...session } = data;
    const { messageId, role, text, runId, sender, seq, at } = message;
    const given = { messageId, role, text, at, sourceSeq: seq, untrusted: role === 'tool' || sender !== undefined, ...(runId === undefined ? {} : { runId }) };
    const result = await this.sessions.fromTranscript(tenant, session, given, attempt <= PATIENCE);
    if (result === 'early') return { kind: 'retry', afterMs: Math.min(WAIT_MS * attempt, LONGEST_WAIT_MS), reason: 'the message before it has not come yet' };
    if (result === 'foreign') return { kind: 'park', code: 'FORBIDDEN', reason: 'this session is kept for another owner' };
    return { kind: 'done' };
  }

  @Consume(CONSUMERS.memorySessionChanges, { concurrency: 4, contracts: [sessionChanged] })
  async onChanged(@Ctx() { tenant, data }: Delivery<DataOf<typeof sessionChanged>>): Promise<Outcome> {
    if (data.change === 'deleted') await this.sessions.forget(tenant, data.sessionId);
    return { kind: 'done' };
  }
}
