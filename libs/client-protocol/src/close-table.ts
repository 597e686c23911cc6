import { CLOSE_CODES } from './codes.js';

/** What a client does after a close. */
export type AfterClose =
  /** Come back with the usual pauses. */
  | 'yes'
  /** Not before something was changed: the credential, the version, the program. */
  | 'no'
  /** The response before the close says it: `details.code`, `retryable`, `retryAfterMs`. */
  | 'as the response says';

/** One way in which a connection of a client ends. */
export interface ClientClose {
  readonly code: number;
  /** Text of the close frame; undefined: that of the refusal before it. */
  readonly reason: string | undefined;
  readonly when: string;
  readonly reconnect: AfterClose;
  /** What to do beside or before. */
  readonly advice?: string;
}

/** Every close that a gateway makes on the client endpoint, and those that clients make by themselves. */
export const CLIENT_CLOSES: readonly ClientClose[] = [
  { code: CLOSE_CODES.handshakeIdle, reason: '', when: 'no connect in time, or something before the hello that is no JSON', reconnect: 'yes' },
  { code: CLOSE_CODES.protocol, reason: 'protocol mismatch', when: 'client and gateway speak no common version', reconnect: 'no', advice: 'update the client' },
  { code: CLOSE_CODES.policy, reason: undefined, when: 'the connect was refused', reconnect: 'as the response says' },
  {
    code: CLOSE_CODES.policy,
    reason: 'slow consumer',
    when: 'it did not read, or did not acknowledge, for too long',
    reconnect: 'yes',
    advice: 'resume with the cursor',
  },
  {
    code: CLOSE_CODES.policy,
    reason: 'the token has expired',
    when: 'some time after the credential has expired',
    reconnect: 'yes',
    advice: 'with a new token',
  },
  { code: CLOSE_CODES.policy, reason: 'too many frames before hello', when: 'more was sent during the handshake than is kept', reconnect: 'yes' },
  { code: CLOSE_CODES.policy, reason: 'repeated unauthorized calls', when: 'a node called methods of operators more than ten times', reconnect: 'no' },
  {
    code: CLOSE_CODES.tooBig,
    reason: undefined,
    when: 'a frame above 64 KiB before the hello, above `policy.maxPayload` after it',
    reconnect: 'yes',
    advice: 'send smaller frames',
  },
  { code: CLOSE_CODES.internal, reason: 'internal error', when: 'something failed inside', reconnect: 'yes' },
  {
    code: CLOSE_CODES.restart,
    reason: 'service restart',
    when: 'the gateway goes; `shutdown` came before',
    reconnect: 'yes',
    advice: 'spread over `spreadMs` of `shutdown`',
  },
  { code: CLOSE_CODES.starting, reason: undefined, when: 'the gateway is starting', reconnect: 'yes', advice: 'after `retryAfterMs`' },
  {
    code: CLOSE_CODES.clientTimeout,
    reason: undefined,
    when: 'made by the client: nothing was heard for two tick intervals, or no hello came',
    reconnect: 'yes',
  },
  {
    code: CLOSE_CODES.limit,
    reason: undefined,
    when: 'the user or tenant has as many connections as it may have',
    reconnect: 'yes',
    advice: 'after `retryAfterMs`',
  },
  {
    code: CLOSE_CODES.revoked,
    reason: 'revoked',
    when: 'the credential was revoked, or left the configuration',
    reconnect: 'no',
    advice: 'with another credential',
  },
];
