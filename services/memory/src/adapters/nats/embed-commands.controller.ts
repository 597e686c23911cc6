import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { Delivery, Outcome } from '@plexus/bus';
import { Consume } from '@plexus/bus/nest';
import { CONSUMERS, type DataOf, memoryContracts } from '@plexus/contracts';
import { spread } from '@plexus/kernel';
import { EmbeddingQueue } from '../../application/embedding-queue.js';
import { EmbedderUnavailable } from '../../domain/embedding/model.js';

const { embedMemoryCommand } = memoryContracts;
/** How long an endpoint that fails is left alone, in milliseconds; then for ever the last. */
const WAITS = [1_000, 5_000, 30_000, 120_000, 600_000];

/** Jobs for vectors: ids only; what a memory says is read from the table when its turn comes. */
@Controller()
export class EmbedCommandsController {
  constructor(private readonly queue: EmbeddingQueue) {}

  @Consume(CONSUMERS.memoryEmbed, { concurrency: 64, contracts: [embedMemoryCommand] })
  async onEmbed(@Payload() { memoryId, rev, modelId }: DataOf<typeof embedMemoryCommand>, @Ctx() delivery: Delivery): Promise<Outcome> {
    try {
      await this.queue.add(modelId, { tenant: delivery.tenant, memoryId, rev });
      return { kind: 'done' };
    } catch (error) {
      if (!(error instanceof EmbedderUnavailable)) throw error;
      const waitMs = WAITS[Math.min(delivery.attempt, WAITS.length) - 1] ?? 1_000;
      return { kind: 'retry', afterMs: Math.max(error.retryAfterMs ?? 0, spread(waitMs, 0.2)), reason: error.message };
    }
  }
}
