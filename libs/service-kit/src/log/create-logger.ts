import { currentTraceIds } from '@plexus/telemetry';
import { type Bindings, type ChildLoggerOptions, type DestinationStream, type Logger, pino } from 'pino';
import type { LogTail } from './log-tail.js';
import { redact, scrubText } from './redact.js';

export type { Logger } from 'pino';

type Child = (this: Logger, bindings: Bindings, options?: ChildLoggerOptions) => Logger;

export interface LoggerOptions {
  readonly service: string;
  readonly instanceId: string;
  readonly level: string;
  /** Where lines go; default: stdout. */
  readonly destination?: DestinationStream;
  /** Keeps the newest lines as well. */
  readonly tail?: LogTail | undefined;
}

/**
 * A logger that writes one JSON object per line: `level` as a word, `time` as ISO 8601, service and instance, and the trace and
 * span id when there is a span. Whatever is logged passes {@link redact} first. Calls never block and never throw.
 */
export function createLogger({ service, instanceId, level, destination = stdout(), tail }: LoggerOptions): Logger {
  const logger = pino(
    {
      level,
      base: { service, instance: instanceId },
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'message',
      errorKey: 'error',
      mixin: () => currentTraceIds() ?? {},
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => redact(fields) as Record<string, unknown>,
      },
      // `formatters.log` has already made errors plain; pino's own serialiser would do it again, unredacted.
      serializers: { error: (error) => redact(error) },
      hooks: {
        logMethod(args, method) {
          const given: unknown[] = args;
          // pino would take the message from a lone error as it is.
          if (given[0] instanceof Error) given.splice(0, 1, { error: given[0] }, ...(given.length === 1 ? [given[0].message] : []));
          for (const [index, arg] of given.entries()) if (typeof arg === 'string') given[index] = scrubText(arg);
          method.apply(this, args);
        },
      },
    },
    tail === undefined ? destination : withTail(destination, tail),
  );
  // pino formats the fields of a line but not those that a child binds; `this` keeps the bindings of grandchildren.
  const plainChild: Child = logger.child;
  const child: Child = function (this: Logger, bindings, options) {
    return plainChild.call(this, redact(bindings) as Bindings, options);
  };
  Object.assign(logger, { child });
  return logger;
}

function withTail(destination: DestinationStream, tail: LogTail): DestinationStream {
  const { flush } = destination as { flush?: (done: (error?: Error) => void) => void };
  return {
    write: (line: string) => {
      tail.note(line);
      destination.write(line);
    },
    ...(flush === undefined ? {} : { flush: flush.bind(destination) }),
  };
}

/**
 * Waits until every line logged so far is written, at most `timeoutMs` milliseconds (nobody may be reading); never rejects. A
 * process has to do this before it leaves: a line that is on its way at `process.exit` would land behind later ones, or nowhere.
 */
export function flushLogger(logger: Logger, timeoutMs = 1_000): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, timeoutMs);
    logger.flush(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** More than this waits only when nobody reads stdout; then lines are dropped, never the service stopped. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;

function stdout(): DestinationStream {
  // Every line is longer than one byte, so each is written at once; with 0 the stream's `flush` would wait for nothing.
  const stream = pino.destination({ dest: 1, sync: false, minLength: 1, maxLength: MAX_PENDING_BYTES });
  // The reader of a pipe may be gone, for example a dead parent: then there is nobody to tell, and flushing would try for ever.
  let unread = false;
  stream.on('error', () => {
    unread = true;
  });
  process.once('exit', () => {
    if (!unread) flushQuietly(stream);
  });
  return stream;
}

function flushQuietly(stream: { flushSync(): void }): void {
  try {
    stream.flushSync();
  } catch {
    // The process ends now; stdout is closed or was never opened.
  }
}
