import { classifyRejection, type RejectionClass } from './classify-rejection.js';

export type RejectionLevel = 'debug' | 'warn' | 'error';

export interface RejectionHandlerOptions {
  /** Receives one line per rejection; `error` is for the log, `kind` is from a small fixed list and may become a label. */
  readonly log: (level: RejectionLevel, message: string, fields: { kind: RejectionClass | 'handled'; error: unknown }) => void;
  /** Ends the process; `process.exit` unless given. */
  readonly exit?: (code: number) => void;
  /** Asked first, in order; true = dealt with. One that throws is logged and counts as not responsible. */
  readonly handlers?: readonly ((error: unknown) => boolean)[];
  /** Where to listen; the current process unless given. */
  readonly target?: Pick<NodeJS.Process, 'on' | 'off'>;
}

/**
 * Installs the policy for promises that nobody handled: registered handlers, then abort (go on), fatal and configuration (exit 1),
 * transient (warn, go on), anything else (exit 1). An uncaught exception always ends the process with 1: after it the state of
 * the program is unknown. Returns a function that takes the policy away again.
 */
export function installRejectionHandler(options: RejectionHandlerOptions): () => void {
  const { log, exit = (code: number): void => process.exit(code), handlers = [], target = process } = options;

  const claimed = (error: unknown): boolean =>
    handlers.some((handler) => {
      try {
        return handler(error) === true;
      } catch (failure) {
        log('error', 'a rejection handler failed', { kind: 'unknown', error: failure });
        return false;
      }
    });

  const onRejection = (error: unknown): void => {
    if (claimed(error)) return;
    const kind = classifyRejection(error);
    switch (kind) {
      case 'abort':
        log('debug', 'unhandled abort, going on', { kind, error });
        return;
      case 'transient':
        log('warn', 'unhandled transient failure, going on', { kind, error });
        return;
      case 'fatal':
      case 'config':
      case 'unknown':
        log('error', `unhandled rejection (${kind}), exiting`, { kind, error });
        exit(1);
    }
  };

  const onException = (error: Error): void => {
    log('error', 'uncaught exception, exiting', { kind: classifyRejection(error), error });
    exit(1);
  };

  target.on('unhandledRejection', onRejection);
  target.on('uncaughtException', onException);
  return () => {
    target.off('unhandledRejection', onRejection);
    target.off('uncaughtException', onException);
  };
}
