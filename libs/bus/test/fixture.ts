import { type ConsumerDefinition, defineCommand, defineEvent, defineInbound, defineLive, defineRpc, type StreamDefinition } from '@plexus/contracts';
import { startTestNats, type TestNats, waitFor } from '@plexus/testing';
import { z } from 'zod';
import { applyStreams, type Bus, type BusLog, type BusOptions, connectBus, type TopologyNeed } from '../src/index.js';

const MIB = 1024 * 1024;

export const greet = defineRpc({
  domain: 'test',
  name: 'greet',
  version: 1,
  summary: 'Greets.',
  data: z.object({ name: z.string().min(1).max(100), times: z.number().int().min(1).default(1) }),
  response: z.object({ text: z.string(), by: z.string().optional() }),
  timeoutMs: 60_000,
  examples: [{ name: 'Ada' }],
});

export const happened = defineEvent({
  domain: 'test',
  name: 'happened',
  version: 1,
  key: ['thingId'],
  summary: 'Something happened.',
  data: z.object({ thingId: z.string(), n: z.number().int(), note: z.string().optional() }),
  examples: [{ thingId: 'a', n: 1 }],
});

export const work = defineCommand({
  domain: 'test',
  name: 'work',
  version: 1,
  key: ['thingId'],
  summary: 'Do something.',
  data: z.object({ thingId: z.string(), n: z.number().int() }),
  examples: [{ thingId: 'a', n: 1 }],
});

export const foreign = defineInbound({
  domain: 'crm',
  name: 'contact-updated',
  version: 1,
  key: ['contactId'],
  summary: 'A contact changed elsewhere.',
  data: z.looseObject({ contactId: z.string() }),
  examples: [{ contactId: 'c1' }],
});

export const tick = defineLive({
  domain: 'test',
  name: 'tick',
  version: 1,
  key: ['room', 'seat'],
  summary: 'Ephemeral.',
  data: z.object({ n: z.number() }),
  examples: [{ n: 1 }],
});

const stream = (name: string, subjects: string[], rest: Partial<StreamDefinition> = {}): StreamDefinition => ({
  name,
  subjects,
  retention: 'limits',
  discard: 'old',
  maxAgeMs: 0,
  maxBytes: 64 * MIB,
  maxMessageBytes: MIB,
  duplicateWindowMs: 120_000,
  summary: 'test',
  ...rest,
});

export const EVENTS = stream('PLEXUS_EVT_TEST', ['plexus.evt.*.test.>']);
export const COMMANDS = stream('PLEXUS_CMD_TEST', ['plexus.cmd.*.test.>'], { retention: 'workqueue', discard: 'new' });
export const INBOUND = stream('PLEXUS_IN', ['plexus.in.>']);
export const DLQ = stream('PLEXUS_DLQ', ['plexus.dlq.>']);

export const worker = (rest: Partial<ConsumerDefinition> = {}): ConsumerDefinition => ({
  stream: COMMANDS.name,
  name: 'test-work',
  service: 'test',
  filter: 'plexus.cmd.*.test.work.v1.>',
  // Long enough that no stalled machine makes a repetition of a message that is being handled.
  ackWaitMs: 60_000,
  maxDeliver: 3,
  maxAckPending: 256,
  deliver: 'all',
  summary: 'test',
  ...rest,
});

/** Log entries by level, for tests that look at them. */
export class RecordingLog implements BusLog {
  readonly entries: { readonly level: string; readonly fields: Record<string, unknown>; readonly message: string }[] = [];
  debug = this.at('debug');
  info = this.at('info');
  warn = this.at('warn');
  error = this.at('error');

  private at(level: string) {
    return (fields: object, message: string): void => void this.entries.push({ level, fields: fields as Record<string, unknown>, message });
  }

  messages(level?: string): string[] {
    return this.entries.filter((entry) => level === undefined || entry.level === level).map((entry) => entry.message);
  }
}

/** One server for a test file, and buses that are closed with it. */
export class Fixture {
  private readonly buses: Bus[] = [];

  private constructor(readonly nats: TestNats) {}

  static async start(): Promise<Fixture> {
    return new Fixture(await startTestNats());
  }

  async connect(options: Partial<BusOptions> = {}): Promise<Bus> {
    const bus = await connectBus({ service: 'test', servers: this.nats.url, allowAnonymous: true, ...options });
    this.buses.push(bus);
    return bus;
  }

  async apply(need: TopologyNeed): Promise<void> {
    const bus = await this.connect();
    const entries = await applyStreams(bus, { need });
    const refused = entries.filter(({ action }) => action === 'conflict');
    if (refused.length > 0) throw new Error(JSON.stringify(refused));
    await bus.close();
  }

  /** `kill -9`, a restart on the same store, and every open bus back on it. */
  async crash(downMs = 0): Promise<void> {
    await this.nats.kill('SIGKILL');
    if (downMs > 0) await new Promise((resolve) => setTimeout(resolve, downMs));
    await this.nats.restart();
    for (const bus of this.buses) {
      if (!bus.connection.isClosed()) await waitFor(() => bus.isConnected(), { what: 'the reconnect' });
    }
  }

  /** Closes every bus, so that one test never serves or consumes for another. */
  async disconnectAll(): Promise<void> {
    await Promise.all(this.buses.splice(0).map((bus) => bus.close()));
  }

  async stop(): Promise<void> {
    await this.disconnectAll();
    await this.nats.stop();
  }
}

/** The rejection of a promise; fails when it fulfils. */
export async function failure(promise: Promise<unknown>): Promise<{ code: string; message: string; retryable: boolean; details?: Record<string, unknown> }> {
  try {
    await promise;
  } catch (error) {
    return error as never;
  }
  throw new Error('expected a failure');
}
