/** Marks our errors across copies of this library in one process, where `instanceof` would fail. */
const BRAND = Symbol.for('plexus.error');

export interface PlexusErrorInit {
  /** Stable, upper snake case; never renamed. */
  readonly code: string;
  /** Public sentence: what happened and what to do next. */
  readonly message: string;
  /** Whether the same call may succeed later without a change. */
  readonly retryable?: boolean;
  /** HTTP status of the same outcome. */
  readonly status?: number;
  /** Public facts: paths, limits, ids. No secrets, no content. */
  readonly details?: Record<string, unknown>;
  /** Private; for logs only, never serialised. */
  readonly cause?: unknown;
}

/** The public form of an error: what leaves a service. */
export interface PlexusErrorJson {
  code: string;
  message: string;
  retryable: boolean;
  details?: Record<string, unknown>;
}

/** An error that may leave a service: stable code, public sentence, whether a retry can help, private cause. */
export class PlexusError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  readonly status: number;
  readonly details?: Record<string, unknown>;

  constructor(init: PlexusErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = 'PlexusError';
    this.code = init.code;
    this.retryable = init.retryable ?? false;
    this.status = init.status ?? 500;
    if (init.details !== undefined) this.details = init.details;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** What a caller may see. The cause and the stack stay here. */
  toJSON(): PlexusErrorJson {
    return { code: this.code, message: this.message, retryable: this.retryable, ...(this.details && { details: this.details }) };
  }

  static isPlexusError(error: unknown): error is PlexusError {
    return error instanceof Error && (error as { [BRAND]?: unknown })[BRAND] === true;
  }
}
