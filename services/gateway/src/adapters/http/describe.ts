import type { RpcContract } from '@plexus/contracts';
import type { z } from 'zod';

/** What the OpenAPI document says of a route beside its path. The route itself reads its input by the same schemas. */
export interface RouteDescription {
  /** Whose answer it is: gives summary, response and error codes where they are not said here. */
  readonly rpc?: RpcContract;
  readonly summary?: string;
  /** No bearer token is needed. */
  readonly public?: boolean;
  /** The scope that the caller needs. */
  readonly scope?: string;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** Content types that are taken beside JSON; without a `body` instead of it. */
  readonly bodyTypes?: readonly string[];
  /** Headers of requests that mean something. */
  readonly headers?: readonly string[];
  /** A schema, or the content type of a stream. */
  readonly response?: z.ZodType | string;
  /**
   * Of a write: who sees to it that the same Idempotency-Key has one effect. `owner`: the service that does it, for as long as it says; `kept`
   * (default): this gateway keeps the answer; `none`: the header has no meaning here.
   */
  readonly idempotency?: 'owner' | 'kept' | 'none';
}

const DESCRIPTIONS = new WeakMap<object, RouteDescription>();

/** Describes a route for the OpenAPI document. Every route under /v1 has one. */
export function Describe(description: RouteDescription): MethodDecorator {
  return (_target, _name, descriptor) => {
    DESCRIPTIONS.set(descriptor.value as object, description);
  };
}

/** What a handler of a controller was described with. */
export function descriptionOf(handler: object): RouteDescription | undefined {
  return DESCRIPTIONS.get(handler);
}
