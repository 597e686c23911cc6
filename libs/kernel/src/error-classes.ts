/** Somebody gave up on purpose: never a reason to log an error or to exit. Its `name` is `AbortError`, as the platform's. */
export class AbortedError extends Error {
  constructor(message = 'This operation was aborted', options?: ErrorOptions) {
    super(message, options);
    this.name = 'AbortError';
  }

  /** The error for an aborted signal; the signal's own reason is kept as the cause. */
  static from(signal: AbortSignal | undefined): AbortedError {
    const reason: unknown = signal?.reason;
    if (reason instanceof AbortedError) return reason;
    return new AbortedError(undefined, reason === undefined ? undefined : { cause: reason });
  }
}

/** A wait was ended because the thing waited on was closed. */
export class ClosedError extends AbortedError {}

/** It may work when tried again: networks, restarts, overload. */
export class TransientError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TransientError';
  }
}

/** A person has to change a setting first; trying again is useless. */
export class ConfigurationError extends Error {
  readonly code: string;

  constructor(message: string, options?: ErrorOptions & { code?: string }) {
    super(message, options);
    this.name = 'ConfigurationError';
    this.code = options?.code ?? 'INVALID_CONFIG';
  }
}

/** The process can no longer be trusted and has to end. */
export class FatalError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'FatalError';
  }
}
