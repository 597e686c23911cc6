import type { ErrorShape } from './frames.js';

/** What a call to a gateway ends with when it does not succeed. `details.code` is the finer code where there is one. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(shape: ErrorShape, options?: { cause?: unknown }) {
    super(shape.message, options);
    this.code = shape.code;
    this.details = shape.details ?? {};
    this.retryable = shape.retryable ?? false;
    this.retryAfterMs = shape.retryAfterMs;
  }

  /** `details.code`, the code that decides whether a client should stop trying. */
  get detailCode(): string | undefined {
    return typeof this.details.code === 'string' ? this.details.code : undefined;
  }

  /** The socket closed before the answer: the call may or may not have taken effect. */
  static connectionLost(closeCode: number, reason: string): GatewayError {
    const message = `connection closed before the answer (${closeCode}${reason === '' ? '' : ` ${reason}`})`;
    return new GatewayError({ code: 'UNAVAILABLE', message, retryable: true, details: { code: 'CONNECTION_LOST', closeCode } });
  }

  static timeout(what: string, timeoutMs: number): GatewayError {
    return new GatewayError({ code: 'UNAVAILABLE', message: `${what}: no answer within ${timeoutMs} ms`, retryable: true, details: { code: 'TIMEOUT' } });
  }

  static closed(): GatewayError {
    return new GatewayError({ code: 'UNAVAILABLE', message: 'the client was closed', details: { code: 'CLIENT_CLOSED' } });
  }
}
