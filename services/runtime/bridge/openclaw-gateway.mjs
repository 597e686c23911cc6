const REQUEST_TIMEOUT_MS = 60_000;
/** A gateway that is just starting may take a connection and never say a word on it. */
const CONNECT_TIMEOUT_MS = 15_000;
const CLIENT = { id: 'gateway-client', version: '1', platform: process.platform, mode: 'backend' };

/** A connection to an OpenClaw gateway on this machine (wire v4). */
export class OpenClawGateway {
  #socket;
  #pending = new Map();
  #count = 0;
  #onEvent;
  #onClose;

  /**
   * Connects, once. Throws when nothing listens, or when the gateway says that it is still starting.
   * `onEvent(name, payload)`; `onClose()` once, when a connection that stood is lost.
   */
  static async connect({ url, token, onEvent, onClose }) {
    const gateway = new OpenClawGateway();
    const socket = new WebSocket(url);
    gateway.#socket = socket;
    socket.addEventListener('message', ({ data }) => gateway.#message(String(data)));
    socket.addEventListener('close', () => gateway.#closed());
    // What failed shows as a close.
    socket.addEventListener('error', () => undefined);
    let timer;
    const lost = new Promise((_, reject) => {
      socket.addEventListener('close', () => reject(new Error('the OpenClaw gateway closed the connection')));
      timer = setTimeout(() => reject(new Error('the OpenClaw gateway did not answer')), CONNECT_TIMEOUT_MS);
    });
    lost.catch(() => undefined);
    try {
      await Promise.race([gateway.#introduce(token), lost]);
    } catch (error) {
      socket.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
    gateway.#onEvent = onEvent;
    gateway.#onClose = onClose;
    return gateway;
  }

  async #introduce(token) {
    await new Promise((resolve) => {
      this.#onEvent = (name) => name === 'connect.challenge' && resolve();
    });
    const scopes = ['operator.admin'];
    await this.request('connect', { minProtocol: 4, maxProtocol: 4, client: CLIENT, role: 'operator', scopes, caps: ['tool-events'], auth: { token } });
  }

  /** Asks and resolves with the payload. `final`: with that of the second answer, which has no time limit. */
  request(method, params, { final = false } = {}) {
    const id = String(++this.#count);
    return new Promise((resolve, reject) => {
      const timer = final
        ? undefined
        : setTimeout(() => this.#settle(id, { ok: false, error: { code: 'TIMEOUT', message: `${method} was not answered` } }), REQUEST_TIMEOUT_MS);
      this.#pending.set(id, { resolve, reject, timer, final });
      if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ type: 'req', id, method, params }));
      else this.#settle(id, { ok: false, error: { code: 'UNAVAILABLE', message: 'the OpenClaw gateway is not connected' } });
    });
  }

  close() {
    this.#onClose = undefined;
    this.#socket.close();
  }

  #message(text) {
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return;
    }
    if (frame.type === 'event') this.#onEvent?.(frame.event, frame.payload);
    else if (frame.type === 'res' && !(this.#pending.get(frame.id)?.final && frame.ok && frame.payload?.status === 'accepted')) this.#settle(frame.id, frame);
  }

  #settle(id, { ok, payload, error }) {
    const one = this.#pending.get(id);
    if (!one) return;
    this.#pending.delete(id);
    clearTimeout(one.timer);
    if (ok) one.resolve(payload);
    else one.reject(Object.assign(new Error(error?.message ?? 'failed'), { code: error?.code, retryable: error?.retryable }));
  }

  #closed() {
    for (const id of [...this.#pending.keys()])
      this.#settle(id, { ok: false, error: { code: 'UNAVAILABLE', message: 'the OpenClaw gateway closed the connection' } });
    this.#onClose?.();
    this.#onClose = undefined;
  }
}
