/** One entry of the error table: what callers may rely on for ever. */
export interface ErrorCodeDefinition {
  /** HTTP status of the same outcome. */
  readonly status: number;
  /** Whether the same call may succeed later without a change. */
  readonly retryable: boolean;
  /** Public sentence: what happened and what to do next. Never holds a value; details do. */
  readonly sentence: string;
}

/** Every stable error code of the mesh. Codes are never renamed or reused. */
export const ERROR_CODES = {
  INVALID_REQUEST: { status: 400, retryable: false, sentence: 'The request does not fit its schema; the issues name each path.' },
  INVALID_JSON: { status: 400, retryable: false, sentence: 'The body is not JSON that may be accepted here.' },
  INVALID_EVENT: { status: 400, retryable: false, sentence: 'The event is not a CloudEvents 1.0 JSON event that may be accepted here.' },
  PAYLOAD_TOO_LARGE: { status: 413, retryable: false, sentence: 'The payload is larger than this method accepts; send a reference instead.' },
  VALUE_TOO_LARGE: { status: 413, retryable: false, sentence: 'The value is larger than this state backend holds; the details name the limit.' },
  UNAUTHENTICATED: { status: 401, retryable: false, sentence: 'No valid credential was presented; send a current token.' },
  FORBIDDEN: { status: 403, retryable: false, sentence: 'The credential is valid but may not do this.' },
  MISSING_SCOPE: { status: 403, retryable: false, sentence: 'The credential lacks a scope that this needs; the details name it.' },
  TENANT_MISMATCH: { status: 403, retryable: false, sentence: 'The tenant of the credential, the subject and the payload must be the same.' },
  UNKNOWN_TENANT: { status: 404, retryable: false, sentence: 'No such tenant is configured; check the tenant id.' },
  NOT_FOUND: { status: 404, retryable: false, sentence: 'There is no such thing, or it belongs to somebody else.' },
  SESSION_NOT_FOUND: { status: 404, retryable: false, sentence: 'There is no such session for this user; create it or send a message first.' },
  RUN_NOT_FOUND: { status: 404, retryable: false, sentence: 'There is no such run in this session.' },
  METHOD_NOT_FOUND: { status: 404, retryable: false, sentence: 'There is no such method.' },
  CONFLICT: { status: 409, retryable: false, sentence: 'The state has changed or the key was used for something else; read again and decide anew.' },
  UNSUPPORTED_ATTACHMENT: {
    status: 415,
    retryable: false,
    sentence: 'This kind of file is not taken with a message: send text, or a PNG, JPEG, GIF or WebP picture.',
  },
  RATE_LIMITED: { status: 429, retryable: true, sentence: 'Too many requests; try again after the given time.' },
  QUOTA_EXCEEDED: { status: 429, retryable: true, sentence: 'A quota of the tenant or user is used up.' },
  QUEUE_FULL: { status: 429, retryable: true, sentence: 'The queue for this is full; try again later.' },
  UNAVAILABLE: { status: 503, retryable: true, sentence: 'Something this needs is not reachable right now; try again.' },
  NO_RESPONDERS: { status: 503, retryable: true, sentence: 'The service that answers this is not running right now; try again.' },
  TIMEOUT: { status: 504, retryable: true, sentence: 'No answer came in time; it may still have taken effect.' },
  CANCELLED: { status: 499, retryable: false, sentence: 'The caller gave up.' },
  INTERNAL: { status: 500, retryable: true, sentence: 'Something failed inside; the logs carry the cause under the same id.' },
  STREAM_PLAN_MISMATCH: { status: 500, retryable: false, sentence: 'Streams, consumers or buckets are missing or differ; run `plexus nats apply`.' },
  CONFIG_INVALID: { status: 500, retryable: false, sentence: 'The configuration is not valid; every violation is listed.' },
  CONFIG_REJECTED: { status: 422, retryable: false, sentence: 'The configuration is not valid and nothing was changed; the issues name path, value and fix.' },
  VM_UNAVAILABLE: { status: 503, retryable: true, sentence: 'No VM could be had for this owner in time; the details say why.' },
  VM_FENCED: { status: 409, retryable: false, sentence: 'A newer incarnation of this VM exists; this one must stop.' },
  NOT_CONNECTED: { status: 503, retryable: false, sentence: 'The node is known but not connected at the moment; try again when it is back.' },
  PAIRING_CHANGED: { status: 503, retryable: true, sentence: 'No node of this name belongs to the caller; list the nodes.' },
  NODE_INVOKE_FAILED: { status: 503, retryable: false, sentence: 'The node ran the command and it failed; the details say how.' },
  TICKET_INVALID: { status: 401, retryable: false, sentence: 'The ticket is wrong, spent, expired or meant for somebody else.' },
  PROVIDER_UNAVAILABLE: { status: 503, retryable: true, sentence: 'The VM provider refuses or fails at the moment.' },
  RUN_TIMEOUT: { status: 504, retryable: true, sentence: 'The run produced nothing within its time limit and was ended.' },
  VM_LOST: { status: 503, retryable: true, sentence: 'The VM that executed this run is gone and the run could not be continued.' },
  MODEL_UNAVAILABLE: { status: 503, retryable: true, sentence: 'The language model cannot be reached or refuses to answer.' },
  CONTEXT_TOO_LONG: { status: 422, retryable: false, sentence: 'The conversation does not fit into the window of the model, even when it is shortened.' },
  CONTEXT_WINDOW_TOO_SMALL: {
    status: 422,
    retryable: false,
    sentence: 'The window of the model is too small to work with: at least 16,000 tokens are needed.',
  },
  MODEL_KEY_UNAVAILABLE: {
    status: 503,
    retryable: false,
    sentence: 'The key or address of the model provider cannot be had; the message names the reference.',
  },
  CHANNEL_NOT_CONFIGURED: { status: 404, retryable: false, sentence: 'No such channel account is configured and enabled; the details name it.' },
  INVALID_TARGET: { status: 400, retryable: false, sentence: 'The target is none that this channel knows; the details say what was expected.' },
  DELIVERY_FAILED: { status: 502, retryable: false, sentence: 'The channel did not take the message on any account in time; it is among the dead letters.' },
  HANDLER_FAILED: { status: 500, retryable: false, sentence: 'The handler failed on this message repeatedly; it was parked.' },
  MAX_DELIVERIES: { status: 500, retryable: false, sentence: 'The message was delivered as often as allowed without success; it was parked.' },
} as const satisfies Record<string, ErrorCodeDefinition>;

export type ErrorCode = keyof typeof ERROR_CODES;
