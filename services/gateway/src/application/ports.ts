import type { DataOf, InputOf, LiveContract, Principal, ResponseOf, RpcContract } from '@plexus/contracts';

/** What the use cases need of the world. The adapters (and in tests the real bus) fulfil these. */

/** Questions to the services that own the answers. Fails with PlexusErrors. */
export interface Mesh {
  call<C extends RpcContract>(
    rpc: C,
    tenant: string,
    data: InputOf<C>,
    options: { readonly principal: Principal; readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ): Promise<ResponseOf<C>>;
}

/** What the gateway says of itself towards other services. */
export interface GatewayIdentity {
  /** Role `service`, for one tenant or `_`. */
  service(tenant: string): Principal;
}

/** Which tenants exist, and who may speak for them. */
export interface Tenants {
  has(tenant: string): boolean;
  /** Long-lived tokens of all tenants by the SHA-256 of the token, in lower-case hex. */
  tokenBySha256(digest: string): TokenGrant | undefined;
  /** Which of the tenant's keys checks a JWT that names this `kid`, or none: a name of the key that is another's as soon as its kid or material is. */
  signingKey(tenant: string, kid: string | undefined): string | undefined;
  /** Whether a key that {@link signingKey} named is still one of the tenant. */
  hasSigningKey(tenant: string, key: string): boolean;
  /** Where a conversation goes that names no agent. */
  defaultAgent(tenant: string): { readonly agentId: string; readonly mainKey: string };
}

export interface TokenGrant {
  readonly tenant: string;
  readonly credentialId: string;
  readonly user: string | undefined;
  readonly scopes: readonly string[];
  readonly source: string | undefined;
  readonly expiresAt: number | undefined;
}

/** Users and credentials that were withdrawn. */
export interface Revocations {
  isRevoked(who: { readonly tenant: string; readonly user: string; readonly credentialId: string }): boolean;
}

/** Ephemeral hints. */
export interface Hints {
  listenLive<C extends LiveContract>(
    contract: C,
    selection: { readonly tenant?: string; readonly key?: readonly string[] },
    handler: (data: DataOf<C>, address: { readonly tenant: string; readonly key: readonly string[] }) => void,
  ): { stop(): unknown };
}

/** One stored message of the session stream, in stream order. */
export interface SessionStreamMessage {
  readonly seq: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly tenant: string;
  readonly name: string;
  readonly sessionId: string;
  readonly data: unknown;
}

/** Reads what was stored about one session. */
export interface SessionArchive {
  /**
   * Events of a session from stream sequence `from` on (inclusive), oldest first, at most `limit`. The first one has exactly that
   * sequence when it still exists and belongs to the session.
   */
  readSession(tenant: string, sessionId: string, from: number, limit: number, signal: AbortSignal): Promise<SessionStreamMessage[]>;
}

export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The newest lines of a log, oldest first; `cursor` says where the next read goes on. */
export interface LogLines {
  read(selection: { readonly cursor?: number; readonly limit: number; readonly maxBytes: number }): {
    readonly cursor: number;
    readonly size: number;
    readonly lines: readonly string[];
    readonly truncated: boolean;
    readonly reset: boolean;
  };
}
