import { createDecipheriv, createECDH, createHmac, createPublicKey, hkdfSync, randomBytes, verify } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer } from 'smtp-server';

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface HttpAnswer {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** Never answers, or breaks the connection off. */
  readonly instead?: 'hang' | 'break' | 'trickle';
}

/** A web server of somebody else that answers as it is told and remembers what it was asked. */
export class HttpStandIn {
  readonly requests: ReceivedRequest[] = [];
  /** Used up first; then `answer`. */
  readonly answers: HttpAnswer[] = [];
  answer: HttpAnswer = { status: 204 };
  /** Awaited before each answer. */
  before: (request: ReceivedRequest) => Promise<void> = async () => undefined;
  private constructor(private readonly server: Server) {}

  static async start(host = '127.0.0.1'): Promise<HttpStandIn> {
    const server = createServer();
    const standIn = new HttpStandIn(server);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const received = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) };
        standIn.requests.push(received);
        void standIn.before(received).then(() => {
          const { status = 204, headers = {}, body = '', instead } = standIn.answers.shift() ?? standIn.answer;
          if (instead === 'break') request.socket.destroy();
          else if (instead === 'trickle') response.writeHead(status, headers).write(body);
          else if (instead !== 'hang') response.writeHead(status, headers).end(body);
        });
      });
    });
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    return standIn;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  connections(): Promise<number> {
    return new Promise((resolve, reject) => this.server.getConnections((error, count) => (error ? reject(error) : resolve(count))));
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

type SmtpStage = 'RCPT' | 'DATA' | 'AUTH';

/** A mail server that keeps what it took. */
export class SmtpStandIn {
  readonly mails: Email[] = [];
  readonly raw: string[] = [];
  readonly logins: { user: string; password: string }[] = [];
  /** Answers with this code and text at that stage, once each. */
  readonly refusals: { stage: SmtpStage; code: number; text: string }[] = [];
  private constructor(private readonly server: SMTPServer) {}

  static async start(): Promise<SmtpStandIn> {
    const refuse = (stage: SmtpStage): Error | null => {
      if (standIn.refusals[0]?.stage !== stage) return null;
      const { code, text } = standIn.refusals.shift() as { code: number; text: string };
      return Object.assign(new Error(text), { responseCode: code });
    };
    const server = new SMTPServer({
      authOptional: true,
      allowInsecureAuth: true,
      logger: false,
      onAuth: ({ username, password }, _session, done) => {
        standIn.logins.push({ user: username ?? '', password: password ?? '' });
        const refused = refuse('AUTH');
        if (refused) done(refused);
        else done(null, { user: username ?? '' });
      },
      onRcptTo: (_address, _session, done) => done(refuse('RCPT')),
      onData: (stream, _session, done) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          const refused = refuse('DATA');
          if (refused) return done(refused);
          const raw = Buffer.concat(chunks).toString();
          standIn.raw.push(raw);
          void PostalMime.parse(raw).then((mail) => {
            standIn.mails.push(mail);
            done(null);
          }, done);
        });
      },
    });
    // A client that does not like our certificate breaks off: that is what it is tested for.
    server.on('error', () => undefined);
    const standIn = new SmtpStandIn(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return standIn;
  }

  get port(): number {
    return (this.server.server.address() as AddressInfo).port;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}

/** A browser: it subscribed, and can read what was encrypted for it (RFC 8291) and who sent it (RFC 8292). */
export class BrowserStandIn {
  private readonly ecdh = createECDH('prime256v1');
  private readonly auth = randomBytes(16);
  readonly keys: { readonly p256dh: string; readonly auth: string };

  constructor() {
    this.ecdh.generateKeys();
    this.keys = { p256dh: this.ecdh.getPublicKey('base64url'), auth: this.auth.toString('base64url') };
  }

  /** The text of a message with content encoding aes128gcm. */
  read(body: Buffer): string {
    const salt = body.subarray(0, 16);
    const idLength = body.readUInt8(20);
    const serverKey = body.subarray(21, 21 + idLength);
    const secret = this.ecdh.computeSecret(serverKey);
    const info = Buffer.concat([Buffer.from('WebPush: info\0'), this.ecdh.getPublicKey(), serverKey]);
    const input = Buffer.from(hkdfSync('sha256', secret, this.auth, info, 32));
    const key = Buffer.from(hkdfSync('sha256', input, salt, 'Content-Encoding: aes128gcm\0', 16));
    const nonce = Buffer.from(hkdfSync('sha256', input, salt, 'Content-Encoding: nonce\0', 12));
    const record = body.subarray(21 + idLength);
    const decipher = createDecipheriv('aes-128-gcm', key, nonce).setAuthTag(record.subarray(-16));
    const text = Buffer.concat([decipher.update(record.subarray(0, -16)), decipher.final()]);
    return text.subarray(0, text.lastIndexOf(2)).toString();
  }
}

/** Claims of the VAPID token of a request, if it was signed with the key that it names. */
export function vapidClaims(authorization: string, publicKey: string): { aud: string; sub: string; exp: number } {
  const match = /^vapid t=([^,]+), ?k=(.+)$/.exec(authorization);
  const [head, claims, signature] = (match?.[1] ?? '').split('.') as [string, string, string];
  if (match?.[2] !== publicKey) throw new Error(`another key: ${authorization}`);
  const point = Buffer.from(publicKey, 'base64url');
  const jwk = { kty: 'EC', crv: 'P-256', x: point.subarray(1, 33).toString('base64url'), y: point.subarray(33).toString('base64url') };
  const isGenuine = verify(
    'sha256',
    Buffer.from(`${head}.${claims}`),
    { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  );
  if (!isGenuine) throw new Error('the signature is wrong');
  return JSON.parse(Buffer.from(claims, 'base64url').toString());
}

/** True when a webhook was signed with the secret, as any library for Standard Webhooks checks it. */
export function isSigned({ headers, body }: ReceivedRequest, secret: string): boolean {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body.toString()}`;
  return headers['webhook-signature'] === `v1,${createHmac('sha256', key).update(signed).digest('base64')}`;
}
