import type { BusCredentials, BusLog } from '@plexus/bus';

/** A bearer token, or what fetches one; asked again before each call, so that it may change. */
export type TokenSource = string | (() => string | Promise<string>);

export interface ConnectOptions {
  /** `nats://host:4222`, several separated by commas or as a list. */
  readonly servers: string | readonly string[];
  /** The tenant that the credential belongs to. */
  readonly tenant: string;
  /** The source token that the credential belongs to: events are published as `plexus.in.<tenant>.<source>.…`. */
  readonly source: string;
  /** What the NATS server knows this integrator by. */
  readonly credentials?: BusCredentials;
  /** Token that proves for whom calls are made (a JWT signed with one of the tenant's keys). Only {@link Plexus.call} needs it. */
  readonly token?: TokenSource;
  /** Default: the prefix of this integrator, which its permissions allow. */
  readonly inboxPrefix?: string;
  /** How long the first connection may take, in ms. Default 30,000. Later losses are repaired for ever. */
  readonly connectTimeoutMs?: number;
  /** Where the connection's ups and downs are told. Default: nowhere. */
  readonly log?: BusLog;
}
