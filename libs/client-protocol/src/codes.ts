/** Error codes of `error.code`. Programs branch on these and on `error.details.code`. */
export const CLIENT_ERROR_CODES = {
  invalidRequest: 'INVALID_REQUEST',
  unavailable: 'UNAVAILABLE',
  forbidden: 'FORBIDDEN',
  notPaired: 'NOT_PAIRED',
} as const;

/** Codes in `details.code` that matter at the handshake. */
export const HANDSHAKE_DETAILS = {
  tokenMissing: 'AUTH_TOKEN_MISSING',
  tokenMismatch: 'AUTH_TOKEN_MISMATCH',
  rateLimited: 'AUTH_RATE_LIMITED',
  deviceIdentityRequired: 'DEVICE_IDENTITY_REQUIRED',
  originNotAllowed: 'CONTROL_UI_ORIGIN_NOT_ALLOWED',
  protocolMismatch: 'PROTOCOL_MISMATCH',
  unknownTenant: 'UNKNOWN_TENANT',
} as const;

/** A refusal with one of these will not get better by trying again: the client stops until somebody changes something. */
export const TERMINAL_DETAILS: ReadonlySet<string> = new Set([
  'AUTH_TOKEN_MISSING',
  'AUTH_TOKEN_MISMATCH',
  'AUTH_PASSWORD_MISSING',
  'AUTH_PASSWORD_MISMATCH',
  'AUTH_BOOTSTRAP_TOKEN_INVALID',
  'AUTH_RATE_LIMITED',
  'AUTH_DEVICE_TOKEN_MISMATCH',
  'AUTH_SCOPE_MISMATCH',
  'AUTH_IDENTITY_HEADER_REQUIRED',
  'AUTH_VERIFIED_USER_REQUIRED',
  'PAIRING_REQUIRED',
  'DEVICE_IDENTITY_REQUIRED',
  'CONTROL_UI_ORIGIN_NOT_ALLOWED',
  'PROTOCOL_MISMATCH',
  'CLIENT_VERSION_MISMATCH',
  'UNKNOWN_TENANT',
]);

/** Close codes of the client endpoint. Every one but `refused` is worth a reconnect; what refused says why in the response before it. */
export const CLOSE_CODES = {
  /** No connect within the time limit, or something that is no JSON before it. */
  handshakeIdle: 1000,
  protocol: 1002,
  /** Refused (authentication, origin, role) or a consumer that is too slow; the reason text tells which. */
  policy: 1008,
  tooBig: 1009,
  internal: 1011,
  restart: 1012,
  starting: 1013,
  /** Made by clients: nothing was heard for two tick intervals, or no hello came. */
  clientTimeout: 4000,
  /** A quota of connections is used up. */
  limit: 4029,
  /** The credential was revoked. */
  revoked: 4403,
} as const;

/** Capabilities of hello-ok. */
export const CAPABILITIES = {
  /** inbox.resume, inbox.list, inbox.ack, inbox.mark, event inbox.item, `head` in tick. */
  inbox: 'plexus-inbox-v1',
  /** Of OpenClaw: `models.list` answers what is configured now, so that clients need no catalogue of their own. */
  modelCatalog: 'published-model-catalog',
} as const;

/** What a client may announce in `caps`. */
export const CLIENT_CAPS = {
  /** chat and agent events only for sessions that this socket subscribed to. */
  sessionScopedEvents: 'session-scoped-events',
  /** Events of stream `tool`. */
  toolEvents: 'tool-events',
  /** Ours, needs operator.admin: events of every user of the tenant, each with its `owner`. */
  tenantEvents: 'plexus-tenant-events-v1',
} as const;

/** Close reasons must fit into 123 bytes of UTF-8. */
export function closeReason(text: string): string {
  let reason = text;
  while (new TextEncoder().encode(reason).length > 123) reason = reason.slice(0, -1);
  return reason;
}
