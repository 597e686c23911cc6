import { CAPABILITIES, type ConnectParams, EVENTS, encodeResultJson, type HelloOk, METHODS, PROTOCOL_VERSION } from '@plexus/client-protocol';
import type { Principal } from '@plexus/contracts';
import { err, ok, type Result } from '@plexus/kernel';
import { ATTACHMENT_POLICY } from '../domain/attachments.js';
import { type Credential, grantScopes, principalOf } from '../domain/caller.js';
import { FailureLimit, isLoopback } from '../domain/failure-limit.js';
import { originAllowed } from '../domain/handshake.js';
import { type Introduction, Introductions } from '../domain/introduction.js';
import { REFUSALS, type Refusal } from '../domain/refusal.js';
import type { AuthenticationFailure, Authenticator } from './authenticator.js';
import type { ClientConnection } from './client-connection.js';
import type { Connections } from './connections.js';
import { healthView } from './health-news.js';
import { presenceRow } from './methods/system.methods.js';
import type { MethodServices } from './methods/method-context.js';
import type { Log } from './ports.js';
import { type Place, type Presence, type PresenceEntry, presenceEntry } from './presence.js';
import { isTicket, type Tickets } from './tickets.js';

export interface HandshakePolicy {
  readonly allowedOrigins: readonly string[];
  readonly maxPayload: number;
  readonly maxBufferedBytes: number;
  readonly tickIntervalMs: number;
}

export interface Peer {
  /** Id of the connection that it will be. */
  readonly connId: string;
  readonly origin: string | undefined;
  readonly host: string | undefined;
  readonly remoteAddress: string;
}

const REFUSED: Readonly<Record<Exclude<AuthenticationFailure, 'missing'>, Refusal>> = {
  mismatch: REFUSALS.tokenMismatch,
  expired: REFUSALS.tokenExpired,
  revoked: REFUSALS.tokenRevoked,
  'unknown-tenant': REFUSALS.unknownTenant,
};

/** Who came in, and its place among the connections: to be released when it goes. */
export interface Admitted {
  readonly credential: Credential;
  readonly principal: Principal;
  readonly introduction: Introduction;
  readonly place: Place;
}

/** Connections of its own user that a hello lists, the newest; `system-presence` lists all. */
const MAX_SHOWN = 50;
/** The same in every hello, and the longest part of it. */
const FEATURES = JSON.stringify({
  methods: Object.keys(METHODS),
  events: [...EVENTS],
  capabilities: [CAPABILITIES.inbox, CAPABILITIES.modelCatalog],
} satisfies HelloOk['features']);

/** Decides whether a client comes in and says hello. */
export class ClientHandshake {
  private readonly failures = new FailureLimit();
  private readonly introductions = new Introductions();

  constructor(
    private readonly authenticator: Authenticator,
    private readonly tickets: Tickets,
    private readonly presence: Presence,
    private readonly gatewayId: string,
    private readonly policy: HandshakePolicy,
    private readonly services: Omit<MethodServices, 'connections'> & { readonly connections: Connections },
    private readonly ready: () => boolean,
    private readonly log: Log,
  ) {}

  async admit(connect: ConnectParams, peer: Peer): Promise<Result<Admitted, Refusal>> {
    if (!this.ready()) return err(REFUSALS.starting);
    if (!originAllowed(peer.origin, peer.host, this.policy.allowedOrigins)) return err(REFUSALS.originNotAllowed);
    const blockedMs = this.failures.blockedFor(peer.remoteAddress, this.services.now());
    if (blockedMs > 0) return err(REFUSALS.rateLimited(blockedMs));

    const bearer = connect.auth?.token ?? connect.auth?.password;
    const credential = isTicket(bearer) ? await this.tickets.redeem(bearer, peer.origin) : await this.authenticator.authenticate(bearer);
    if (!credential.ok) {
      // A client that sends a device identity only would have to be paired, which is not here; it is told what to send instead.
      if (credential.error === 'missing') return err(connect.device === undefined ? REFUSALS.noCredential : REFUSALS.tokenMissing);
      this.failures.note(peer.remoteAddress, this.services.now());
      this.log.info({ reason: credential.error, remoteAddress: peer.remoteAddress, client: connect.client.id }, 'a client was refused');
      return err(REFUSED[credential.error]);
    }
    const scopes = connect.role === 'node' ? [] : grantScopes(credential.value, connect.scopes);
    const principal = principalOf(credential.value, scopes);
    const { tenant, user } = credential.value;
    const introduction = this.introductions.of(connect);
    const entry = presenceEntry(introduction, { connId: peer.connId, gateway: this.gatewayId, user, scopes, ts: this.services.now() });
    const admission = await this.presence.enter({ tenant, exempt: isLoopback(peer.remoteAddress), entry });
    if (admission.kind === 'full') return err(REFUSALS.tooManyConnections(admission.whose));
    return ok({ credential: credential.value, principal, introduction, place: admission.place });
  }

  private presenceOf({ introduction, id, principal, connectedAt }: ClientConnection): PresenceEntry {
    return presenceEntry(introduction, { connId: id, gateway: this.gatewayId, user: principal.user ?? '', scopes: principal.scopes, ts: connectedAt });
  }

  failed(error: unknown): void {
    this.log.error({ error }, 'a handshake failed');
  }

  /** The answer to connect, as text. */
  hello(id: string, connection: ClientConnection): string {
    const { services, policy } = this;
    const { agentId, mainKey } = services.tenants.defaultAgent(connection.principal.tenant);
    const hello: Omit<HelloOk, 'features'> = {
      type: 'hello-ok',
      protocol: PROTOCOL_VERSION,
      server: { version: services.version, connId: connection.id },
      snapshot: {
        presence: this.newestOf(connection.owner).map((other) => presenceRow(this.presenceOf(other))),
        health: healthView(services.health(), { ts: services.now(), defaultAgentId: agentId }),
        stateVersion: services.news.stateVersion,
        uptimeMs: services.now() - services.startedAt,
        sessionDefaults: { defaultAgentId: agentId, mainKey, mainSessionKey: `agent:${agentId}:${mainKey}`, scope: 'per-sender' },
        authMode: 'token',
      },
      auth: { role: connection.role, scopes: connection.principal.scopes },
      policy: {
        maxPayload: policy.maxPayload,
        maxBufferedBytes: policy.maxBufferedBytes,
        tickIntervalMs: policy.tickIntervalMs,
        attachments: ATTACHMENT_POLICY,
      },
    };
    return encodeResultJson(id, `${JSON.stringify(hello).slice(0, -1)},"features":${FEATURES}}`);
  }

  private newestOf(owner: string): ClientConnection[] {
    const all = this.services.connections.ofOwner(owner);
    let passed = Math.max(0, all.size - MAX_SHOWN);
    const newest: ClientConnection[] = [];
    for (const connection of all) {
      if (passed > 0) passed -= 1;
      else newest.push(connection);
    }
    return newest;
  }
}
