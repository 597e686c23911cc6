import type { WebSocket } from 'ws';

/** Frames before hello or authentication are small. */
const MAX_EARLY_PAYLOAD = 65_536;
/** How long a peer may take to answer a close frame before its socket is destroyed. */
const CLOSE_TIMEOUT_MS = 2_000;

/**
 * Options of both endpoints. Declared as a value of its own because the type declarations of `ws` do not know `closeTimeout` yet; without it
 * a peer that stopped reading would keep its buffers for 30 s.
 */
export const SERVER_OPTIONS = {
  noServer: true,
  perMessageDeflate: false,
  clientTracking: false,
  maxPayload: MAX_EARLY_PAYLOAD,
  closeTimeout: CLOSE_TIMEOUT_MS,
} as const;

const OWNER = Symbol('owner');

/** Has the listeners of a socket find whom it belongs to, so that all sockets share them: four closures less for each. */
export function setOwner<T>(ws: WebSocket, owner: T): void {
  (ws as unknown as { [OWNER]: T })[OWNER] = owner;
}

export function ownerOf<T>(ws: WebSocket): T {
  return (ws as unknown as { [OWNER]: T })[OWNER];
}

/**
 * Changes the largest message that a socket accepts. `ws` fixes it per server, but a client may send 64 KiB before its hello and much more
 * after it, and the limit must hold while a message is being received. A test fails when `ws` moves this field.
 */
export function setMaxPayload(ws: WebSocket, bytes: number): void {
  const { _receiver: receiver } = ws as unknown as { _receiver?: { _maxPayload: number } };
  if (receiver !== undefined) receiver._maxPayload = bytes;
}
