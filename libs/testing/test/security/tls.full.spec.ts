import { fork } from 'node:child_process';
import { chmodSync, chownSync, cpSync, readFileSync } from 'node:fs';
import { connect as plainConnect, createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { BUCKETS, CONSUMERS, sessionContracts } from '@plexus/contracts';
import { applyStreams, type Bus, connectBus } from '@plexus/bus';
import { createPool } from '@plexus/database';
import { repositoryRoot, writeNatsAccounts } from '@plexus/local-stack';
import { startTestPostgres, throwAwayFolder, waitFor } from '../../src/index.js';
import { SecuredNats } from './secured-nats.js';
import { noOpenssl, ThrowAwayCa } from './throw-away-ca.js';

const reason = noOpenssl();
const suite = reason === undefined ? describe : describe.skip;
const seed = (file: string) => readFileSync(file, 'utf8').trim();

suite(`NATS with TLS, from the files in deploy/nats${reason === undefined ? '' : ` (${reason})`}`, () => {
  let nats: SecuredNats;
  const buses: Bus[] = [];

  beforeAll(async () => {
    nats = await SecuredNats.start({ servers: 3, verifyClients: true });
    const operator = await as('operator');
    const apply = async () => {
      const entries = await applyStreams(operator, { maxBytesCap: 4 * 1024 * 1024, replicas: 3 }).catch(() => undefined);
      return entries?.every(({ action }) => action !== 'conflict') === true;
    };
    await waitFor(apply, { timeoutMs: 60_000, intervalMs: 1_000, what: 'streams in the cluster' });
  }, 120_000);
  afterAll(async () => {
    await Promise.all(buses.map((bus) => bus.close()));
    await nats?.stop();
  });

  const client = (name: string) => nats.ca.issue(name);
  async function as(service: string, options: Partial<Parameters<typeof connectBus>[0]> = {}): Promise<Bus> {
    const bus = await connectBus({
      service,
      servers: nats.url,
      credentials: { nkeySeed: () => seed(nats.seedFile(service)) },
      tls: { caFile: nats.ca.certFile, ...client(service) },
      allowAnonymous: true,
      ...options,
    });
    buses.push(bus);
    return bus;
  }
  /** `UNAVAILABLE` when it did not get in. One that must get in has a minute for it: a busy machine is no refusal. */
  const refused = (service: string, options: Partial<Parameters<typeof connectBus>[0]>) =>
    as(service, { connectTimeoutMs: 1_500, ...options }).then(
      () => 'connected',
      (error: { code?: string }) => error.code,
    );
  const admitted = (service: string, options: Partial<Parameters<typeof connectBus>[0]>) => refused(service, { connectTimeoutMs: 60_000, ...options });

  it('a cluster whose routes are encrypted keeps streams on three servers, and a service works there with a certificate and its own key', async () => {
    const [routing, gateway] = [await as('routing'), await as('gateway')];
    await routing.checkPlan({ streams: ['PLEXUS_EVT_SESSION'], consumers: [CONSUMERS.routingSessionEnds], buckets: [BUCKETS.config, BUCKETS.leases] });
    const [example] = sessionContracts.sessionEvent.examples;
    await gateway.publish(sessionContracts.sessionEvent, { tenant: 'acme', key: ['s1'], data: example as never });
    expect(await routing.lastOnSubject('PLEXUS_EVT_SESSION', sessionContracts.sessionEvent.subject('acme', 's1'))).toBeDefined();
    const operator = await as('operator');
    const copies = async () => (await operator.jetstream.streamInfo('PLEXUS_EVT_SESSION'))?.config.num_replicas;
    expect(await copies()).toBe(3);
    // Every server knows the two others, which it can only have met through routes with certificates.
    const info = gateway.connection.info as { connect_urls?: string[]; tls_required?: boolean };
    expect(info.tls_required).toBe(true);
    expect(info.connect_urls).toHaveLength(3);
  });

  it('a service is ready with nothing but addresses and files in its settings, and says which file is missing', async () => {
    const { certFile, keyFile } = client('gateway-service');
    const settings = {
      PATH: process.env.PATH,
      NODE_ENV: 'production',
      NATS_URL: nats.url,
      NATS_CA_FILE: nats.ca.certFile,
      NATS_CERT_FILE: certFile,
      NATS_KEY_FILE: keyFile,
      NATS_NKEY_SEED_FILE: nats.seedFile('gateway'),
      GATEWAY_PORT: '0',
      PLEXUS_PARENT_BOUND: '1',
    };
    const start = async (env: object) => {
      const child = fork(path.join(repositoryRoot(), 'services/gateway/dist/src/main.js'), [], { env: { ...settings, ...env }, stdio: 'pipe' });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text: Buffer) => (output = (output + text.toString()).slice(-20_000)));
      const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
      const ready = new Promise<'ready'>((resolve) => child.on('message', (message) => (message as { type?: string }).type === 'ready' && resolve('ready')));
      const outcome = await Promise.race([ready, ended]);
      child.kill('SIGTERM');
      await ended;
      return { outcome, output };
    };
    const good = await start({});
    expect(good.outcome === 'ready' ? 'ready' : good.output).toBe('ready');
    const bad = await start({ NATS_CA_FILE: '/nowhere/ca.crt' });
    expect(bad).toEqual({ outcome: 78, output: expect.stringContaining('/nowhere/ca.crt') });
  });

  it('nobody gets in without a certificate of the authority, nor believes a server that has none of it', async () => {
    const other = new ThrowAwayCa(path.join(nats.folder.path, 'other-ca'));
    expect(await refused('routing', { tls: { caFile: nats.ca.certFile } })).toBe('UNAVAILABLE');
    expect(await refused('routing', { tls: { caFile: nats.ca.certFile, ...other.issue('routing') } })).toBe('UNAVAILABLE');
    expect(await refused('routing', { tls: { caFile: other.certFile, ...client('routing') } })).toBe('UNAVAILABLE');
    // And a certificate alone opens nothing: the key is asked for as well.
    expect(await refused('routing', { credentials: undefined })).toBe('UNAVAILABLE');
  });

  it('a client that was told to use TLS says nothing to a server that offers none', async () => {
    const heard: string[] = [];
    const sockets: Socket[] = [];
    const plain: Server = createServer((socket) => {
      sockets.push(socket);
      socket.on('data', (data) => heard.push(data.toString('latin1')));
      socket.on('error', () => undefined);
      socket.write('INFO {"server_id":"x","version":"2.10.0","proto":1,"max_payload":1048576,"headers":true,"nonce":"abc"}\r\n');
    });
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    const { port } = plain.address() as { port: number };
    try {
      expect(await refused('routing', { servers: `tls://127.0.0.1:${port}`, tls: undefined })).toBe('UNAVAILABLE');
      expect(await refused('routing', { servers: `nats://127.0.0.1:${port}` })).toBe('UNAVAILABLE');
      expect(sockets.length).toBeGreaterThan(0);
      expect(heard.join('')).not.toContain('CONNECT');
    } finally {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => plain.close(resolve));
    }
  });

  it('a route cannot be opened without a certificate', async () => {
    const socket = plainConnect(nats.routePort, '127.0.0.1');
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    socket.on('error', () => undefined);
    let heard = '';
    socket.on('data', (data) => (heard += data.toString('latin1')));
    socket.write('CONNECT {"verbose":false,"name":"stranger"}\r\nPING\r\n');
    await closed;
    expect(heard).not.toContain('PONG');
  });

  it('a rotated key comes into force without a restart of anybody, and the former one ends when it is retired', async () => {
    const accounts = path.dirname(nats.accounts.configFile);
    const former = seed(nats.seedFile('memory'));
    const memory = await as('memory');
    const alive = async (): Promise<boolean> => memory.isConnected() && (await memory.connection.flush().then(() => true));

    writeNatsAccounts(accounts, { rotate: ['memory'] });
    expect(seed(nats.seedFile('memory'))).not.toBe(former);
    nats.reload();
    // Both are accepted: replicas with the old file and with the new one work side by side.
    expect(await admitted('memory', {})).toBe('connected');
    expect(await admitted('memory', { credentials: { nkeySeed: former } })).toBe('connected');
    expect(await waitFor(alive)).toBe(true);

    writeNatsAccounts(accounts, { retire: ['memory'] });
    nats.reload();
    await waitFor(async () => (await refused('memory', { credentials: { nkeySeed: former } })) === 'UNAVAILABLE', { what: 'the end of the old key' });
    // It was put out with the old key, read its file again, and came back by itself.
    await waitFor(alive, { what: 'the return of a service that was connected with the old key' });
    expect(memory.connection.isClosed()).toBe(false);
  });
});

suite(`Postgres with TLS${reason === undefined ? '' : ` (${reason})`}`, () => {
  it('is believed only with a certificate of the authority and for the name that it is called by', async () => {
    const folder = throwAwayFolder('postgres-tls');
    const postgres = await startTestPostgres();
    const admin = createPool({ url: postgres.url(), schema: 'public', applicationName: 'test', max: 1 });
    try {
      const [{ dir } = { dir: '' }] = await admin.query<{ dir: string }>('where', "SELECT current_setting('data_directory') AS dir", []);
      const ca = new ThrowAwayCa(path.join(folder.path, 'ca'));
      const { certFile, keyFile } = ca.issue('postgres', 'DNS:localhost');
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
      await admin.query('ssl_on', 'ALTER SYSTEM SET ssl = on', []);
      await admin.query('reload', 'SELECT pg_reload_conf()', []);

      const url = (host: string, query: string) => {
        const address = new URL(postgres.url());
        address.hostname = host;
        address.search = query;
        return address.href;
      };
      const encrypted = async (target: string): Promise<unknown> => {
        const pool = createPool({ url: target, schema: 'public', applicationName: 'test', max: 1 });
        try {
          return (await pool.query<{ ssl: boolean }>('ssl', 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()', []))[0]?.ssl;
        } catch (error) {
          return (error as { code?: string }).code;
        } finally {
          await pool.close();
        }
      };
      const trusted = `sslmode=verify-full&sslrootcert=${encodeURIComponent(ca.certFile)}`;
      await waitFor(async () => (await encrypted(url('localhost', trusted))) === true, { what: 'an encrypted connection' });
      expect(await encrypted(url('127.0.0.1', trusted))).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
      const other = new ThrowAwayCa(path.join(folder.path, 'other'));
      expect(await encrypted(url('localhost', `sslmode=verify-full&sslrootcert=${encodeURIComponent(other.certFile)}`))).not.toBe(true);
    } finally {
      await admin.close();
      await postgres.stop();
      folder.remove();
    }
  });
});
