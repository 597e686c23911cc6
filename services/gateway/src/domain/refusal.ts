import {
  CLIENT_ERROR_CODES,
  CLOSE_CODES,
  closeReason,
  type ErrorShape,
  HANDSHAKE_DETAILS,
  PROTOCOL_VERSION,
  MINIMUM_PROBE_PROTOCOL_VERSION,
} from '@plexus/client-protocol';

/** Why a connection is not let in: the response to its connect, and how the socket closes behind it. */
export interface Refusal {
  readonly error: ErrorShape;
  readonly closeCode: number;
  readonly reason: string;
}

function refusal(
  code: string,
  message: string,
  details: Record<string, unknown> | undefined,
  closeCode: number = CLOSE_CODES.policy,
  more: Partial<ErrorShape> = {},
): Refusal {
  return { error: { code, message, ...(details && { details }), ...more }, closeCode, reason: closeReason(message) };
}

const { invalidRequest, notPaired, unavailable } = CLIENT_ERROR_CODES;

const unauthorized = (what: string, detailCode: string, authReason: string): Refusal =>
  refusal(invalidRequest, `unauthorized: ${what}`, {
    code: detailCode,
    authReason,
    canRetryWithDeviceToken: false,
    recommendedNextStep: 'update_auth_credentials',
  });

/** Every way in which a handshake ends badly. */
export const REFUSALS = {
  notConnect: refusal(invalidRequest, 'invalid handshake: first request must be connect', undefined),
  invalidFrame: (problem: string) => refusal(invalidRequest, `invalid request frame: ${problem}`, undefined),
  invalidConnect: (problem: string) => refusal(invalidRequest, `invalid connect params: ${problem}`, undefined),
  invalidRole: refusal(invalidRequest, 'invalid role', undefined),
  protocolMismatch: (min: number, max: number) =>
    refusal(
      invalidRequest,
      'protocol mismatch',
      {
        code: HANDSHAKE_DETAILS.protocolMismatch,
        clientMinProtocol: min,
        clientMaxProtocol: max,
        expectedProtocol: PROTOCOL_VERSION,
        minimumProbeProtocol: MINIMUM_PROBE_PROTOCOL_VERSION,
      },
      CLOSE_CODES.protocol,
    ),
  tokenMissing: unauthorized('gateway token missing (send auth.token)', HANDSHAKE_DETAILS.tokenMissing, 'token_missing'),
  tokenMismatch: unauthorized('gateway token mismatch (send a current token in auth.token)', HANDSHAKE_DETAILS.tokenMismatch, 'token_mismatch'),
  tokenExpired: unauthorized('the token has expired (send a current token in auth.token)', HANDSHAKE_DETAILS.tokenMismatch, 'token_expired'),
  tokenRevoked: unauthorized('the token was revoked', HANDSHAKE_DETAILS.tokenMismatch, 'token_revoked'),
  unknownTenant: unauthorized('no such tenant is configured', HANDSHAKE_DETAILS.unknownTenant, 'unknown_tenant'),
  noCredential: refusal(notPaired, 'device identity required', { code: HANDSHAKE_DETAILS.deviceIdentityRequired }),
  originNotAllowed: refusal(invalidRequest, 'origin not allowed', { code: HANDSHAKE_DETAILS.originNotAllowed }),
  rateLimited: (retryAfterMs: number) =>
    refusal(invalidRequest, 'too many failed authentication attempts from this address', { code: HANDSHAKE_DETAILS.rateLimited }, CLOSE_CODES.policy, {
      retryable: true,
      retryAfterMs,
    }),
  tooManyConnections: (whose: 'user' | 'tenant') =>
    refusal(unavailable, `too many connections of this ${whose}`, { code: 'QUOTA_EXCEEDED', whose }, CLOSE_CODES.limit, {
      retryable: true,
      retryAfterMs: 5_000,
    }),
  starting: refusal(unavailable, 'the gateway is starting', { reason: 'startup-sidecars' }, CLOSE_CODES.starting, { retryable: true, retryAfterMs: 500 }),
} as const;
