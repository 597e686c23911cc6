import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, chownSync, cpSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { type AddressInfo, connect as plainConnect, type Socket } from 'node:net';
import path from 'node:path';
import { createServer, type Server } from 'node:tls';
import { promisify } from 'node:util';
import { GatewayClient, type SocketLike } from '@plexus/client-protocol';
import { createPool } from '@plexus/database';
import { type PostgresServer, startPostgres } from '@plexus/local-stack';
import { WebSocket } from 'ws';
import { startTestMesh, type TestMesh, type ThrowAwayFolder, throwAwayFolder, waitFor } from '../../src/index.js';
import { repositoryRoot } from '../../src/repository-root.js';
import { SecuredNats } from './secured-nats.js';
import { noOpenssl, type ThrowAwayCa } from './throw-away-ca.js';

const reason = noOpenssl();
const suite = reason === undefined ? describe : describe.skip;
const DATABASE = 'plexus';

suite(`a whole mesh under TLS${reason === undefined ? '' : ` (${reason})`}`, () => {
  let nats: SecuredNats;
  let folder: ThrowAwayFolder;
  let postgres: PostgresServer;
  let mesh: TestMesh;
  let front: Front;
  let ca: Buffer;

  beforeAll(async () => {
    nats = await SecuredNats.start({ servers: 1, verifyClients: true });
    ca = readFileSync(nats.ca.certFile);
    folder = throwAwayFolder('mesh-tls');
    postgres = await startPostgres({ dir: path.join(folder.path, 'postgres') });
    await encryptedOnly(postgres, nats.ca);
    const { certFile, keyFile } = nats.ca.issue('service');
    mesh = await startTestMesh({
      env: {
        ...{ NATS_URL: nats.url, NATS_CA_FILE: nats.ca.certFile, NATS_CERT_FILE: certFile, NATS_KEY_FILE: keyFile },
        ...{ PLEXUS_NATS_SEEDS: path.dirname(nats.seedFile('gateway')), DATABASE_URL: database(trusted()) },
      },
    });
    front = await Front.start(nats.ca, Number(new URL(mesh.gateway.http).port));
  }, 240_000);
  afterAll(async () => {
    await front?.stop();
    await mesh?.stop();
    await postgres?.stop();
    await nats?.stop();
    folder?.remove();
  }, 60_000);

  const trusted = () => `sslmode=verify-full&sslrootcert=${encodeURIComponent(nats.ca.certFile)}`;
  function database(query: string): string {
    const address = new URL(postgres.url(DATABASE));
    address.hostname = 'localhost';
    address.search = query;
    return address.href;
  }

  async function ask<T>(method: string, route: string, body?: unknown): Promise<T> {
    const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
      const headers = { authorization: `Bearer ${mesh.token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
      const call = request(`https://localhost:${front.port}${route}`, { method, ca, headers }, (response) => {
        let answer = '';
        response.setEncoding('utf8').on('data', (piece: string) => (answer += piece));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text: answer }));
      });
      call.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
    });
    if (status >= 300) throw new Error(`${method} ${route}: ${status} ${text}`);
    return JSON.parse(text) as T;
  }

  it('answers a chat over wss and brings a notification into an inbox over https, with a certificate and a key of its own for every service', async () => {
    const createSocket = (url: string) => new WebSocket(url, { ca }) as unknown as SocketLike;
    const client = new GatewayClient({ url: `wss://localhost:${front.port}`, token: mesh.token, createSocket });
    await client.connect({ timeoutMs: 60_000 });
    try {
      const sessionKey = 'agent:main:tls';
      await client.request('chat.send', { sessionKey, message: 'Is this sealed?', idempotencyKey: randomUUID() });
      const answered = async () => JSON.stringify(await client.request('chat.history', { sessionKey })).includes('"assistant"');
      await waitFor(answered, { timeoutMs: 120_000, intervalMs: 200, what: 'the answer of the agent' });
    } finally {
      client.close();
    }
    const summary = `sealed ${randomUUID()}`;
    await ask('POST', '/v1/tools/notify-user', { summary });
    const arrived = async () => JSON.stringify(await ask('GET', '/v1/inbox')).includes(summary);
    await waitFor(arrived, { timeoutMs: 120_000, intervalMs: 200, what: 'the notification in the inbox' });

    const pool = createPool({ url: database(trusted()), schema: 'public', applicationName: 'test', max: 1 });
    try {
      const [row] = await pool.query<{ sealed: number; plain: number }>(
        'connections',
        `SELECT count(*) FILTER (WHERE s.ssl)::int AS sealed, count(*) FILTER (WHERE NOT s.ssl)::int AS plain
           FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.datname = $1`,
        [DATABASE],
      );
      expect(row?.plain).toBe(0);
      // Ours, and those of routing, push and scheduler.
      expect(row?.sealed).toBeGreaterThan(3);
    } finally {
      await pool.close();
    }
  }, 240_000);

  it('is saved by an operator with a certificate of his own, which is written down', async () => {
    const { certFile, keyFile } = nats.ca.issue('backup');
    const env = {
      ...{ PATH: process.env.PATH, HOME: folder.path, DATABASE_URL: database(trusted()), PLEXUS_STATE_DIR: path.join(folder.path, 'none') },
      ...{ NATS_URL: nats.url, NATS_CA_FILE: nats.ca.certFile, NATS_CERT_FILE: certFile, NATS_KEY_FILE: keyFile },
      NATS_NKEY_SEED_FILE: nats.seedFile('operator'),
    };
    const plexus = async (...args: string[]): Promise<string> =>
      (await promisify(execFile)(process.execPath, [path.join(repositoryRoot(), 'libs/cli/bin/plexus.mjs'), '--json', ...args], { env })).stdout;
    const saved = JSON.parse(await plexus('backup', 'create', path.join(folder.path, 'saved'))) as { tables: Record<string, number> };
    expect(Object.keys(saved.tables).length).toBeGreaterThan(10);
    expect(await plexus('audit', 'ls', '--tenant', '_')).toContain('backup.create');
  }, 240_000);

  it('says nothing to whoever speaks in the clear, to any of its servers', async () => {
    expect(await spokenTo(Number(new URL(nats.plainUrl).port), 'CONNECT {"verbose":true}\r\nPING\r\n')).not.toMatch(/PONG|\+OK/);
    expect(await spokenTo(front.port, 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')).not.toContain('HTTP/1.1 200');
    const socket = new WebSocket(`ws://localhost:${front.port}`);
    const outcome = await new Promise((resolve) => socket.on('open', () => resolve('open')).on('error', () => resolve('refused')));
    socket.terminate();
    expect(outcome).toBe('refused');
    const pool = createPool({ url: database('sslmode=disable'), schema: 'public', applicationName: 'test', max: 1 });
    try {
      await expect(pool.query('one', 'SELECT 1 AS one', [])).rejects.toThrow();
    } finally {
      await pool.close();
    }
  });
});

/** From now on only encrypted connections are let in, with a certificate of that authority. */
async function encryptedOnly(postgres: PostgresServer, ca: ThrowAwayCa): Promise<void> {
  const admin = createPool({ url: postgres.url(), schema: 'public', applicationName: 'test', max: 1 });
  try {
    await admin.query('database', `CREATE DATABASE ${DATABASE}`, []);
    const [{ dir } = { dir: '' }] = await admin.query<{ dir: string }>('where', "SELECT current_setting('data_directory') AS dir", []);
    const { certFile, keyFile } = ca.issue('postgres');
    for (const [from, to] of [
      [certFile, 'server.crt'],
      [keyFile, 'server.key'],
    ] as const) {
      const target = path.join(dir, to);
      cpSync(from, target);
      chmodSync(target, 0o600);
      // The server runs as another user where these tests run as root.
      if (process.getuid?.() === 0) chownSync(target, 65_534, 65_534);
    }
    const rules = path.join(dir, 'pg_hba.conf');
    writeFileSync(rules, readFileSync(rules, 'utf8').replace(/^host\s/gm, 'hostssl '));
    await admin.query('ssl_on', 'ALTER SYSTEM SET ssl = on', []);
    await admin.query('reload', 'SELECT pg_reload_conf()', []);
  } finally {
    await admin.close();
  }
  const address = new URL(postgres.url());
  address.hostname = 'localhost';
  address.search = `sslmode=verify-full&sslrootcert=${encodeURIComponent(ca.certFile)}`;
  const isEncrypted = async () => {
    const pool = createPool({ url: address.href, schema: 'public', applicationName: 'test', max: 1 });
    try {
      return (await pool.query<{ one: number }>('one', 'SELECT 1 AS one', [])).length === 1;
    } catch {
      // The server has not read its settings again yet.
      return false;
    } finally {
      await pool.close();
    }
  };
  await waitFor(isEncrypted, { timeoutMs: 60_000, what: 'an encrypted connection' });
}

/** Everything that a server answers to words in the clear until it hangs up. */
async function spokenTo(port: number, words: string): Promise<string> {
  const socket = plainConnect(port, '127.0.0.1');
  let heard = '';
  socket.on('data', (data) => (heard += data.toString('latin1')));
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  socket.write(words);
  await closed;
  return heard;
}

/** What ends TLS in front of a gateway, as a load balancer or an ingress does. */
class Front {
  private constructor(
    private readonly server: Server,
    private readonly sockets: Set<Socket>,
  ) {}

  static async start(ca: ThrowAwayCa, gatewayPort: number): Promise<Front> {
    const { certFile, keyFile } = ca.issue('front');
    const sockets = new Set<Socket>();
    const keep = (socket: Socket): Socket => {
      sockets.add(socket);
      // Whatever ends one side ends the other.
      return socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    };
    const server = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, (socket) => {
      const gateway = keep(plainConnect(gatewayPort, '127.0.0.1'));
      keep(socket).pipe(gateway).pipe(socket);
      socket.on('close', () => gateway.destroy());
      gateway.on('close', () => socket.destroy());
    });
    server.on('connection', (socket: Socket) => void keep(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Front(server, sockets);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
