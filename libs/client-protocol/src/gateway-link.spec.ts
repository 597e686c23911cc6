import { GatewayLink, type SocketLike } from './gateway-link.js';

/** A server that says what it is told to say, and after that nothing. */
class Wire implements SocketLike {
  readonly readyState = 1;
  onopen: SocketLike['onopen'] = null;
  onmessage: SocketLike['onmessage'] = null;
  onclose: SocketLike['onclose'] = null;
  onerror: SocketLike['onerror'] = null;

  send(): void {
    this.say({ type: 'res', id: 'connect', ok: true, payload: { policy: { tickIntervalMs: 200 } } });
  }

  close(): void {}

  say(frame: unknown): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
}

/** Every look at the clock is a minute behind the one before: so browsers let the timers of hidden pages run. */
async function throttled<T>(work: () => Promise<T>): Promise<T> {
  let now = performance.now();
  const own = Object.getOwnPropertyDescriptor(performance, 'now');
  Object.defineProperty(performance, 'now', { configurable: true, writable: true, value: () => (now += 60_000) });
  try {
    return await work();
  } finally {
    if (own === undefined) Reflect.deleteProperty(performance, 'now');
    else Object.defineProperty(performance, 'now', own);
  }
}

function open(wire: Wire, handshakeTimeoutMs: number) {
  let closed: (code: number) => void = () => undefined;
  const end = new Promise<number>((resolve) => {
    closed = resolve;
  });
  const nothing = () => undefined;
  const connect = {} as never;
  const opened = GatewayLink.open({
    url: 'ws://x',
    connect,
    createSocket: () => wire,
    handshakeTimeoutMs,
    onEvent: nothing,
    onResponse: nothing,
    onClose: closed,
  });
  return { ...opened, end };
}

describe('a link whose timers are always late', () => {
  it('leaves a gateway that says nothing all the same', async () => {
    const wire = new Wire();
    const { ready, end } = open(wire, 60_000);
    wire.say({ type: 'event', event: 'connect.challenge', payload: { nonce: 'n', ts: 1 } });
    await ready;
    expect(await throttled(() => end)).toBe(4000);
  });

  it('gives up a handshake that gets no answer', async () => {
    await throttled(async () => {
      const { ready } = open(new Wire(), 20);
      await expect(ready).rejects.toMatchObject({ details: { code: 'TIMEOUT' } });
    });
  });
});
