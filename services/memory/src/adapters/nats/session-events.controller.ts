import { Controller } from '@nestjs/common';
import { Ctx } from '@nestjs/microservices';
import type { Delivery, Outcome } from '@plexus/bus';
import { Consume } from '@plexus/bus/nest';
import { CONSUMERS, type DataOf, sessionContracts } from '@plexus/contracts';
import { KeepSessions } from '../../application/keep-sessions.js';
import { TakeTranscripts } from '../../application/take-transcripts.js';

const { sessionMessage, sessionChanged } = sessionContracts;

/** So often a message waits for the one before it, longer each time and some 43 s in all; then it is taken as it is. Longer than a failed try needs to come again. */
const PATIENCE = 20;
const WAIT_MS = 250;
const LONGEST_WAIT_MS = 3_000;
/** Deliveries at a time; those of one session share an append. */
const TOGETHER = 64;

/** Messages come in from the transcripts. A redelivered one is recognised by its id; an error is tried again for ever. */
@Controller()
export class SessionEventsController {
  private readonly transcripts: TakeTranscripts;

  constructor(private readonly sessions: KeepSessions) {
    this.transcripts = new TakeTranscripts((...append) => sessions.fromTranscript(...append));
  }

  @Consume(CONSUMERS.memorySessions, { concurrency: TOGETHER, contracts: [sessionMessage] })
  async onMessage(@Ctx() { tenant, data, attempt }: Delivery<DataOf<typeof sessionMessage>>): Promise<Outcome> {
    const { message, ...session } = data;
    const { messageId, role, text, runId, sender, seq, at } = message;
    const given = { messageId, role, text, at, sourceSeq: seq, untrusted: role === 'tool' || sender !== undefined, ...(runId === undefined ? {} : { runId }) };
    const result = await this.transcripts.take(tenant, session, given, attempt <= PATIENCE);
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
