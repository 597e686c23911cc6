import { WebSocket } from 'ws';

/** A client that asks and counts answers, as lean as it can be, so that the server is what is measured. */
export class LoadClient {
  private readonly waiting = new Map<string, (frame: string) => void>();
  private count = 0;
  events = 0;
  private readonly socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => {
      const text = String(data);
      const id = /"id":"(\d+)"/.exec(text)?.[1];
      const done = id === undefined || text.startsWith('{"type":"event"') ? undefined : this.waiting.get(id);
      if (done === undefined) {
        this.events += 1;
        return;
      }
      this.waiting.delete(id as string);
      done(text);
    });
    socket.on('error', () => undefined);
  }

  /** Opens a socket; with a token also says hello, as real clients do. */
  static async open(url: string, token?: string, scopes: readonly string[] = ['operator.admin']): Promise<LoadClient> {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    const client = new LoadClient(socket);
    if (token === undefined) {
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
      return client;
    }
    await new Promise((resolve, reject) => {
      socket.once('message', resolve);
      socket.once('close', (code) => reject(new Error(`closed with ${code}`)));
    });
    const answer = await client.ask('connect', {
      minProtocol: 4,
      maxProtocol: 4,
      client: { id: 'gateway-client', version: '1', platform: 'linux', mode: 'backend' },
      role: 'operator',
      scopes,
      auth: { token },
    });
    if (!answer.includes('"ok":true')) throw new Error(`refused: ${answer.slice(0, 300)}`);
    return client;
  }

  ask(method: string, params: unknown = {}): Promise<string> {
    const id = String(++this.count);
    return new Promise((resolve) => {
      this.waiting.set(id, resolve);
      this.socket.send(`{"type":"req","id":"${id}","method":"${method}","params":${JSON.stringify(params)}}`);
    });
  }

  close(): void {
    this.socket.terminate();
  }
}

/** Operations per second with so many in flight. */
export async function rate(operation: () => Promise<unknown>, inFlight: number, ms: number): Promise<number> {
  const startedAt = performance.now();
  let count = 0;
  const lane = async () => {
    while (performance.now() - startedAt < ms) {
      await operation();
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return (count * 1_000) / (performance.now() - startedAt);
}
