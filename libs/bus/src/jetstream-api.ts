import type { ConsumerConfig, ConsumerInfo, StreamConfig, StreamInfo } from '@nats-io/jetstream';
import { plexusError } from '@plexus/contracts';
import { fullJitter, PlexusError, systemClock } from '@plexus/kernel';
import { textOf, toJsonBytes } from './json-body.js';
import type { RequestMultiplexer } from './request-multiplexer.js';

const PREFIX = '$JS.API';
const NO_BODY = new Uint8Array(0);
const BACKOFF = { baseMs: 50, capMs: 1_000 };
const NOT_FOUND = new Set([10014, 10037, 10059]);

/** A message as the stream stores it. */
export interface StoredMessage {
  readonly subject: string;
  readonly seq: number;
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
  /** Base 64; absent when empty. */
  readonly data?: string;
  /** The header block, base 64. */
  readonly hdrs?: string;
}

/** What the server said instead of doing it. */
interface ApiError {
  readonly code: number;
  readonly err_code: number;
  readonly description: string;
}

export interface ApiOptions {
  /** For the request with its repetitions. Default 5,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** The part of the JetStream API that we use, over the multiplexer. Missing things are `undefined`; other refusals are PlexusErrors that quote the server. */
export class JetStreamApi {
  constructor(private readonly multiplexer: RequestMultiplexer) {}

  streamInfo(stream: string, options?: ApiOptions): Promise<StreamInfo | undefined> {
    return this.find(`STREAM.INFO.${stream}`, undefined, options);
  }

  /** Every stream of the account, those of buckets among them. */
  streams(options?: ApiOptions): Promise<StreamInfo[]> {
    return this.pages('STREAM.LIST', 'streams', options);
  }

  /** Every consumer of one stream; none when there is no such stream. */
  consumers(stream: string, options?: ApiOptions): Promise<ConsumerInfo[]> {
    return this.pages(`CONSUMER.LIST.${stream}`, 'consumers', options);
  }

  /** Subjects under `filter` that hold a message now. */
  async subjects(stream: string, filter: string, options?: ApiOptions): Promise<string[]> {
    const found: string[] = [];
    for (;;) {
      const body = { subjects_filter: filter, offset: found.length };
      const info = await this.find<StreamInfo & { readonly total?: number }>(`STREAM.INFO.${stream}`, body, options);
      const page = Object.keys(info?.state.subjects ?? {});
      found.push(...page);
      if (page.length === 0 || found.length >= (info?.total ?? 0)) return found;
    }
  }

  createStream(config: Partial<StreamConfig> & { readonly name: string }): Promise<StreamInfo> {
    return this.request(`STREAM.CREATE.${config.name}`, config);
  }

  updateStream(config: Partial<StreamConfig> & { readonly name: string }): Promise<StreamInfo> {
    return this.request(`STREAM.UPDATE.${config.name}`, config);
  }

  consumerInfo(stream: string, consumer: string, options?: ApiOptions): Promise<ConsumerInfo | undefined> {
    return this.find(`CONSUMER.INFO.${stream}.${consumer}`, undefined, options);
  }

  /** Creates a consumer, or updates the durable one of that name. */
  putConsumer(stream: string, config: Partial<ConsumerConfig> & { readonly name: string }, options?: ApiOptions): Promise<ConsumerInfo> {
    const filter = config.filter_subject ? `.${config.filter_subject}` : '';
    return this.request(`CONSUMER.CREATE.${stream}.${config.name}${filter}`, { stream_name: stream, config }, options);
  }

  async deleteConsumer(stream: string, consumer: string, options?: ApiOptions): Promise<boolean> {
    return (await this.find(`CONSUMER.DELETE.${stream}.${consumer}`, undefined, options)) !== undefined;
  }

  /** One stored message by sequence, the first one from there on under a subject, or the last one on a subject. */
  async message(
    stream: string,
    by: { readonly seq: number; readonly next_by_subj?: string } | { readonly last_by_subj: string },
    options?: ApiOptions,
  ): Promise<StoredMessage | undefined> {
    const answer = await this.find<{ readonly message: StoredMessage }>(`STREAM.MSG.GET.${stream}`, by, options);
    return answer?.message;
  }

  /** Removes one message for good; false when it was not there. */
  async deleteMessage(stream: string, seq: number, options?: ApiOptions): Promise<boolean> {
    return (await this.find(`STREAM.MSG.DELETE.${stream}`, { seq, no_erase: true }, options)) !== undefined;
  }

  /**
   * Removes the messages of one subject for good and overwrites them on the disk; `isMeant` may spare some. Returns how many went. Message by
   * message: a server of the 2.9 series that purges a subject moves the stream's consumers past what waits for them under other subjects.
   */
  async eraseSubject(stream: string, subject: string, isMeant: (message: StoredMessage) => boolean = () => true, options?: ApiOptions): Promise<number> {
    let erased = 0;
    for (let seq = 1; ; seq += 1) {
      const message = await this.message(stream, { seq, next_by_subj: subject }, options);
      if (message === undefined) return erased;
      ({ seq } = message);
      // Gone meanwhile: somebody has worked on it.
      if (isMeant(message) && (await this.find(`STREAM.MSG.DELETE.${stream}`, { seq }, options)) !== undefined) erased += 1;
    }
  }

  private async pages<T>(operation: string, list: string, options?: ApiOptions): Promise<T[]> {
    const found: T[] = [];
    for (;;) {
      const answer = await this.find<{ readonly total?: number } & Record<string, unknown>>(operation, { offset: found.length }, options);
      const page = (answer?.[list] ?? []) as T[];
      found.push(...page);
      if (page.length === 0 || found.length >= (answer?.total ?? 0)) return found;
    }
  }

  private async find<T extends object>(operation: string, body: object | undefined, options?: ApiOptions): Promise<T | undefined> {
    const answer = await this.ask<T>(operation, body, options);
    if (!('error' in answer)) return answer;
    if (NOT_FOUND.has(answer.error.err_code) || answer.error.code === 404 || /no message found/.test(answer.error.description)) return undefined;
    throw refused(operation, answer.error);
  }

  private async request<T extends object>(operation: string, body: object | undefined, options?: ApiOptions): Promise<T> {
    const answer = await this.ask<T>(operation, body, options);
    if ('error' in answer) throw refused(operation, answer.error);
    return answer;
  }

  /** Nobody answers while a server restarts or a leader is elected: asked again with pauses, all of these requests may be repeated. */
  private async ask<T extends object>(operation: string, body: object | undefined, options: ApiOptions = {}): Promise<T | { readonly error: ApiError }> {
    const { timeoutMs = 5_000, signal } = options;
    const giveUpAt = performance.now() + timeoutMs;
    const bytes = body === undefined ? NO_BODY : toJsonBytes(body);
    for (let attempt = 0; ; attempt += 1) {
      const remainingMs = Math.max(1, giveUpAt - performance.now());
      try {
        const answer = await this.multiplexer.request(`${PREFIX}.${operation}`, bytes, { timeoutMs: remainingMs, signal, failOnDisconnect: true });
        return JSON.parse(textOf(answer.data)) as T | { readonly error: ApiError };
      } catch (error) {
        const waitMs = Math.max(20, fullJitter(attempt, BACKOFF));
        const transient = PlexusError.isPlexusError(error) && (error.code === 'NO_RESPONDERS' || error.code === 'UNAVAILABLE');
        if (!transient || signal?.aborted || this.multiplexer.isClosed || performance.now() + waitMs >= giveUpAt) throw error;
        await systemClock.sleep(waitMs, signal);
      }
    }
  }
}

/** An API refusal with the server's own words; `details.errCode` is the server's number. */
function refused(operation: string, error: ApiError): PlexusError {
  const details = { operation, problem: error.description, errCode: error.err_code };
  return plexusError(error.code === 503 || error.code === 500 ? 'UNAVAILABLE' : 'CONFLICT', {
    message: `NATS refused ${operation.split('.').slice(0, 2).join('.')}: ${error.description}`,
    details,
  });
}
