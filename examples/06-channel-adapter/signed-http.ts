// Signed HTTP in both directions (standardwebhooks.com): HMAC-SHA256 over `<id>.<seconds>.<body>`. Libraries for it exist in every language.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

const sign = (secret: string, id: string, seconds: string, body: string): string =>
  `v1,${createHmac('sha256', secret).update(`${id}.${seconds}.${body}`).digest('base64')}`;

/** POSTs until the other side has stored it: the same id again is the same message, so repeating is safe. Throws for what repeating cannot help. */
export async function deliver(url: () => string, secret: string, id: string, message: object): Promise<void> {
  const body = JSON.stringify(message);
  for (let pauseMs = 100; ; pauseMs = Math.min(5_000, pauseMs * 2)) {
    const seconds = String(Math.floor(Date.now() / 1_000));
    const headers = {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': seconds,
      'webhook-signature': sign(secret, id, seconds, body),
    };
    const answer = await request(url, { method: 'POST', headers, body });
    if (answer?.ok) return;
    // 404: the account is still on its way to the adapter. 401: its secret is.
    if (answer !== undefined && answer.status < 500 && ![401, 404, 429].includes(answer.status)) throw new Error(`${answer.status}: ${await answer.text()}`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

async function request(url: () => string, init: RequestInit): Promise<Response | undefined> {
  try {
    return await fetch(url(), { ...init, signal: AbortSignal.timeout(10_000) });
  } catch {
    return undefined; // nobody there: the same as a 5xx
  }
}

export interface Outgoing {
  readonly to: string;
  readonly text: string;
}

/** Takes what the mesh wants said. `show` is called once per message, however often the mesh repeats it. */
export function receiver(secret: string, show: (message: Outgoing) => string, repeated: (id: string) => void): Server {
  const shown = new Map<string, string>(); // of a real platform: in a database, or its own idempotency keys
  const take = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<unknown> => {
    const header = (name: string): string => String(incoming.headers[`webhook-${name}`]);
    let body = '';
    for await (const piece of incoming.setEncoding('utf8')) {
      body += piece;
      if (body.length > 1_000_000) return outgoing.writeHead(413).end();
    }
    const [id, seconds] = [header('id'), header('timestamp')];
    const expected = Buffer.from(sign(secret, id, seconds, body));
    const given = header('signature')
      .split(' ')
      .map((one) => Buffer.from(one));
    const genuine = given.some((one) => one.length === expected.length && timingSafeEqual(one, expected));
    if (!genuine || Math.abs(Date.now() / 1_000 - Number(seconds)) > 300) return outgoing.writeHead(401).end();
    const known = shown.get(id);
    if (known !== undefined) repeated(id);
    const messageId = known ?? show(JSON.parse(body) as Outgoing);
    shown.set(id, messageId);
    // The very first answer is lost on the way, as happens: the mesh tries again, and nobody sees the message twice.
    if (shown.size === 1 && known === undefined) return outgoing.destroy();
    return outgoing.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ messageId }));
  };
  // Who goes away in the middle gets no receipt, and tries again.
  return createServer((incoming, outgoing) => void take(incoming, outgoing).catch(() => outgoing.destroy()));
}
