/** What a VM does after its socket was closed with a code. */
export type ReconnectPolicy =
  /** Go to another gateway without waiting. */
  | 'at-once'
  /** Wait as the reconnect schedule says. */
  | 'backoff'
  /** End the process; somebody else lives, or nobody will let us in. */
  | 'never';

export interface CloseCode {
  readonly code: number;
  /** Text of the close frame; short, public, constant. */
  readonly reason: string;
  readonly reconnect: ReconnectPolicy;
  /** When it happens, for people. */
  readonly when: string;
}

/** Every code with which the mesh closes a VM's socket. Numbers are never reused. */
export const CLOSE_CODES = {
  binaryFrame: { code: 1003, reason: 'binary frames are not accepted', reconnect: 'backoff', when: 'a binary frame' },
  frameTooBig: { code: 1009, reason: 'frame too big', reconnect: 'backoff', when: 'a frame above the limit (64 KiB before it has authenticated)' },
  serviceRestart: { code: 1012, reason: 'service restart', reconnect: 'at-once', when: 'the gateway goes; its marks were moved' },
  unauthenticated: { code: 4001, reason: 'authentication failed', reconnect: 'never', when: 'wrong or missing ticket or token' },
  unknownVm: { code: 4004, reason: 'no such user or VM', reconnect: 'never', when: 'nobody knows this user or VM (any more)' },
  handshakeTimeout: { code: 4008, reason: 'handshake timeout', reconnect: 'backoff', when: 'no `auth` in time' },
  replaced: { code: 4009, reason: 'replaced by a newer connection', reconnect: 'never', when: 'the same incarnation connected again, here or elsewhere' },
  rateLimited: { code: 4029, reason: 'rate limited', reconnect: 'backoff', when: 'too many frames, in number' },
  tooManyBadFrames: { code: 4400, reason: 'too many bad frames', reconnect: 'backoff', when: 'too many frames that made no sense' },
  fenced: { code: 4409, reason: 'fenced: a newer incarnation exists', reconnect: 'never', when: 'a newer incarnation exists; a `fenced` frame came before' },
  gap: { code: 4410, reason: 'a gap was not repaired in time', reconnect: 'backoff', when: 'a missing number did not come in time' },
  slowConsumer: { code: 4413, reason: 'slow consumer', reconnect: 'backoff', when: 'it did not read for too long' },
  internal: { code: 4500, reason: 'internal error', reconnect: 'backoff', when: 'something failed inside' },
} as const satisfies Record<string, CloseCode>;

const BY_CODE = new Map<number, CloseCode>(Object.values(CLOSE_CODES).map((entry) => [entry.code, entry]));

/** What to do after any close code; one that is not ours (1001, 1006, …) means a lost connection. */
export function reconnectPolicy(code: number): ReconnectPolicy {
  return BY_CODE.get(code)?.reconnect ?? 'backoff';
}

/** Exit codes of the runtime, for whoever started it. */
export const EXIT_CODES = {
  /** Asked to stop. */
  stopped: 0,
  /** A defect; the logs say which. */
  failed: 1,
  /** No mesh for as long as the self-fencing allows (EX_TEMPFAIL). */
  abandoned: 75,
  /** The mesh refuses these credentials (EX_NOPERM). */
  refused: 77,
  /** A start-up value is missing or wrong (EX_CONFIG). */
  misconfigured: 78,
  /** A newer incarnation, or another process with the same identity, lives. */
  fenced: 79,
} as const;
