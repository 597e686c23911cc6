import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { Delivery, Outcome } from '@plexus/bus';
import { Consume } from '@plexus/bus/nest';
import { CONSUMERS, type DataOf, memoryContracts } from '@plexus/contracts';
import { fullJitter, PlexusError } from '@plexus/kernel';
import { counter } from '@plexus/telemetry';
import { WriteMemory } from '../../application/write-memory.js';

const { writeMemoryCommand } = memoryContracts;
const written = counter('memoriesWritten');

const BACKOFF = { baseMs: 250, capMs: 10_000 };
/** The consumer delivers for ever, so that a database may be away for as long as it likes; a message that fails by itself is parked here. */
const MAX_FAILURES = 10;

/** Fire-and-forget writes. Only services may publish the command, on behalf of the user whom it names. */
@Controller()
export class WriteCommandsController {
  constructor(private readonly writing: WriteMemory) {}

  /** The event's identity is the idempotency key where none is given: a redelivery never makes a second memory. */
  @Consume(CONSUMERS.memoryWrite, { concurrency: 8, contracts: [writeMemoryCommand] })
  async onWrite(@Payload() { user, idempotencyKey, ...request }: DataOf<typeof writeMemoryCommand>, @Ctx() delivery: Delivery): Promise<Outcome> {
    const { tenant, event, attempt } = delivery;
    const key = idempotencyKey ?? (event && JSON.stringify(['event', event.source, event.id]));
    try {
      const { result } = await this.writing.execute({ tenant, user, privileged: false, credential: 'command' }, request, key);
      written.add(1, { result });
      return { kind: 'done' };
    } catch (error) {
      if (!PlexusError.isPlexusError(error)) {
        if (attempt < MAX_FAILURES) throw error;
        written.add(1, { result: 'error' });
        return { kind: 'park', code: 'HANDLER_FAILED', reason: error instanceof Error ? error.message : String(error) };
      }
      if (error.retryable) return { kind: 'retry', afterMs: fullJitter(attempt, BACKOFF), reason: error.message };
      written.add(1, { result: 'error' });
      return { kind: 'park', code: error.code, reason: error.message };
    }
  }
}
