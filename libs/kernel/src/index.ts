export { type BackoffOptions, fullJitter, isRetryableError, type RetryOptions, retry, spread } from './backoff.js';
export { BoundedQueue } from './bounded-queue.js';
export { type BreakerState, type BreakerTransition, CircuitBreaker, type CircuitBreakerOptions } from './circuit-breaker.js';
export { classifyRejection, isAbortError, isTransientNetworkError, type RejectionClass } from './classify-rejection.js';
export { type Clock, systemClock, type Timer } from './clock.js';
export { Deadline } from './deadline.js';
export { AbortedError, ClosedError, ConfigurationError, FatalError, TransientError } from './error-classes.js';
export { findJsonValue, scanJsonValue } from './embedded-json.js';
export { type ErrorPayload, readErrorPayload, recogniseErrorPayload } from './error-payload.js';
export { type CreateErrorOptions, createErrorRegistry, type ErrorDefinition, type ErrorRegistry } from './error-registry.js';
export { FakeClock } from './fake-clock.js';
export { LruDedupe, type LruDedupeOptions } from './lru-dedupe.js';
export { PlexusError, type PlexusErrorInit, type PlexusErrorJson } from './plexus-error.js';
export { installRejectionHandler, type RejectionHandlerOptions, type RejectionLevel } from './rejection-handler.js';
export { err, ok, type Result, unwrap } from './result.js';
export {
  FORBIDDEN_KEYS,
  isStorableText,
  type JsonLimits,
  type JsonProblem,
  type JsonProblemCode,
  parseJson,
  toStorableText,
} from './safe-json.js';
export { stableStringify } from './stable-stringify.js';
export { type TimeoutOptions, timeout, withTimeout } from './timeout.js';
export { createUlidFactory, isUlid, type RandomSource, ulid, ulidTime } from './ulid.js';
