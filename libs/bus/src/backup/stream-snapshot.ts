import { randomUUID } from 'node:crypto';
import type { StreamConfig, StreamInfo } from '@nats-io/jetstream';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { plexusError } from '@plexus/contracts';

/** What the server must be told again to take a snapshot back: both are its own words and are kept as they came. */
export interface StreamSnapshot {
  readonly config: StreamConfig;
  readonly state: StreamInfo['state'];
}

/** The part of a bus that snapshots need. */
export interface SnapshotBus {
  readonly service: string;
  readonly connection: NatsConnection;
}

interface Answer {
  readonly error?: { readonly code: number; readonly description: string };
  readonly config?: StreamConfig;
  readonly state?: StreamInfo['state'];
  readonly deliver_subject?: string;
}

/** Asked of the server; it acknowledges a few chunks ahead of us at most. */
const CHUNK_BYTES = 128 * 1024;
const ANSWER_TIMEOUT_MS = 30_000;
/** Building the file of a large stream takes the server a while, before the first chunk. */
const SILENCE_LIMIT_MS = 120_000;

/**
 * Takes one stream as it is now, its messages, sequences, times and durable consumers with their positions, and hands the bytes to `write` in order.
 * They are the server's own format (an archive that it compresses) and mean something to a nats-server only. Works on buckets and object stores, which
 * are streams too. Rejects with UNAVAILABLE when the server refuses, breaks off, or says nothing for two minutes.
 */
export async function snapshotStream(bus: SnapshotBus, stream: string, write: (chunk: Uint8Array) => Promise<void> | void): Promise<StreamSnapshot> {
  const { connection } = bus;
  const subject = `_INBOX_${bus.service}.snapshot.${randomUUID()}`;
  const chunks = connection.subscribe(subject);
  const watchdog = new Silence(() => chunks.unsubscribe());
  try {
    const request = { deliver_subject: subject, chunk_size: CHUNK_BYTES, no_consumers: false, jsck: true };
    const answer = await ask(connection, `$JS.API.STREAM.SNAPSHOT.${stream}`, request);
    for await (const chunk of chunks) {
      watchdog.heard();
      refuseStatus(chunk, stream);
      if (chunk.data.length === 0) return { config: answer.config as StreamConfig, state: answer.state as StreamInfo['state'] };
      await write(chunk.data);
      // The server sends no more than a window of chunks without it, so a slow disk slows the server instead of filling our memory.
      chunk.respond();
    }
    throw plexusError('UNAVAILABLE', { message: `The snapshot of ${stream} broke off before its end.` });
  } finally {
    watchdog.stop();
    chunks.unsubscribe();
  }
}

/**
 * Makes a stream of what {@link snapshotStream} gave. There must be none of that name. `config` may differ from the snapshot's in the number of copies and
 * in limits. Nothing is there until the last chunk has arrived: a restore that breaks off leaves no half stream. Rejects with UNAVAILABLE, in the server's words.
 */
export async function restoreStream(
  bus: SnapshotBus,
  { config, state }: StreamSnapshot,
  chunks: AsyncIterable<Uint8Array>,
): Promise<{ readonly messages: number; readonly lastSeq: number }> {
  const { connection } = bus;
  const { deliver_subject: target } = await ask(connection, `$JS.API.STREAM.RESTORE.${config.name}`, { config, state });
  if (target === undefined) throw plexusError('UNAVAILABLE', { message: `The server did not say where it takes ${config.name} back.` });
  for await (const part of chunks) {
    for (let from = 0; from < part.length; from += CHUNK_BYTES) {
      const answer = await connection.request(target, part.subarray(from, from + CHUNK_BYTES), { timeout: ANSWER_TIMEOUT_MS });
      refuseStatus(answer, config.name);
      if (answer.data.length > 0) throw refusal(config.name, readAnswer(answer));
    }
  }
  const done = await connection.request(target, undefined, { timeout: SILENCE_LIMIT_MS });
  const answer = readAnswer(done);
  if (answer.error !== undefined || answer.state === undefined) throw refusal(config.name, answer);
  return { messages: answer.state.messages, lastSeq: answer.state.last_seq };
}

/**
 * Moves a stream's sequence to `seq` or beyond without leaving a message: numbers that somebody has seen before a restore are not given out a second time.
 * `subject` must belong to the stream and to nobody's consumer. Returns the last sequence.
 */
export async function raiseSequence(bus: SnapshotBus, stream: string, subject: string, seq: number): Promise<number> {
  const { connection } = bus;
  let last = (await ask(connection, `$JS.API.STREAM.INFO.${stream}`, {})).state?.last_seq ?? 0;
  while (last < seq) {
    const fillers = Array.from({ length: Math.min(seq - last, 256) }, async () => {
      const stored = (await connection.request(subject, undefined, { timeout: ANSWER_TIMEOUT_MS })).json<Answer & { readonly seq: number }>();
      if (stored.error !== undefined) throw refusal(subject, stored);
      // One by one: a server of the 2.9 series that purges a subject moves the stream's consumers past what waits for them under other subjects.
      await ask(connection, `$JS.API.STREAM.MSG.DELETE.${stream}`, { seq: stored.seq, no_erase: true });
      return stored.seq;
    });
    last = Math.max(...(await Promise.all(fillers)));
  }
  return last;
}

/** Unsubscribes when nothing has come for too long: a server that dies would leave us waiting for ever. */
class Silence {
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly end: () => void) {
    this.heard();
  }

  heard(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(this.end, SILENCE_LIMIT_MS);
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}

async function ask(connection: NatsConnection, subject: string, body: object): Promise<Answer> {
  const answer = readAnswer(await connection.request(subject, JSON.stringify(body), { timeout: ANSWER_TIMEOUT_MS }));
  if (answer.error !== undefined) throw refusal(subject, answer);
  return answer;
}

function readAnswer(message: Msg): Answer {
  return message.data.length === 0 ? {} : message.json<Answer>();
}

/** The last chunk may carry 204; anything else is a failure that the server found half-way. */
function refuseStatus(message: Msg, stream: string): void {
  const { code = 0, description = '' } = message.headers ?? {};
  if (code !== 0 && code !== 204) throw plexusError('UNAVAILABLE', { message: `The server broke off with ${stream}: ${code} ${description}`.trim() });
}

function refusal(what: string, { error }: Answer): Error {
  return plexusError('UNAVAILABLE', { message: `The NATS server refused (${what}): ${error?.description ?? 'no reason given'}` });
}
