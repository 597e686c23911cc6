import type { Principal } from '@plexus/contracts';
import type { BusLog } from './bus-log.js';

/** Mints and verifies the short-lived principal tokens of `Plexus-Auth`. Both are expected to cache. */
export interface BusIdentity {
  mint(principal: Principal): Promise<string> | string;
  /** Rejects with UNAUTHENTICATED when the token is not valid. */
  verify(token: string): Promise<Principal> | Principal;
}

/**
 * A function is asked again at every (re)connect, so that a rotated file needs no restart. `creds`: the text of a `.creds` file, the signed claims of a user
 * with its seed, for servers whose accounts are managed by an operator.
 */
export type BusCredentials =
  | { readonly nkeySeed?: string | (() => string) }
  | { readonly creds: string | (() => string) }
  | { readonly user: string; readonly pass: string };

/** Files in PEM, read again at every (re)connect. */
export interface BusTls {
  /** Authorities that the servers' certificates must come from; absent: those that Node trusts. */
  readonly caFile?: string | undefined;
  /** Certificate and key of the client, where the servers ask for one. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

export interface BusOptions {
  /** Service name: queue group, inbox prefix `_INBOX_<service>`, `$SRV` name, default event source. */
  readonly service: string;
  readonly servers: string | readonly string[];
  /** Where answers arrive. Default: `_INBOX_<service>`, what the permissions of services allow; integrators have prefixes of their own. */
  readonly inboxPrefix?: string | undefined;
  readonly credentials?: BusCredentials | undefined;
  /** Present, or a server named `tls://…`: nothing is ever said to a server without TLS. */
  readonly tls?: BusTls | undefined;
  readonly log?: BusLog | undefined;
  readonly identity?: BusIdentity | undefined;
  /** Served calls without a token get a principal of role `service` without scopes. For tests and benchmarks only. Default false. */
  readonly allowAnonymous?: boolean;
  /** False refuses a served call with UNKNOWN_TENANT. Default: every tenant exists. */
  readonly tenantExists?: (tenant: string) => boolean;
  /** Overrides the time limit of contracts for `call`, in milliseconds. */
  readonly requestTimeoutMs?: number | undefined;
  /** How long the first connection may take, in milliseconds. Default 30,000. Later losses are retried for ever. */
  readonly connectTimeoutMs?: number;
  /** Calls awaiting an answer at the same time; more fail with QUEUE_FULL. Default 65,536. */
  readonly maxPendingRequests?: number;
}
