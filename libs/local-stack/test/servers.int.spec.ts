import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { permissionsFor, ROLES } from '@plexus/contracts';
import { connect, type NatsConnection, nkeyAuthenticator } from '@nats-io/transport-node';
import pg from 'pg';
import { waitFor } from '../../testing/src/wait-for.js';
import {
  findByEnvironment,
  identify,
  isRunning,
  prepareState,
  type ProcessIdentity,
  startGuarded,
  startNatsServer,
  startPostgres,
  statePaths,
  waitUntilGone,
} from '../src/index.js';
import { readPrivate } from '../src/private-file.js';
import { ReadyLog } from '../src/ready-log.js';
import { findWorkingIn } from '../src/process-identity.js';
import { scratchFolder } from './scratch.js';

const mode = (file: string): number => statSync(file).mode & 0o777;

describe('a state folder', () => {
  it('has every secret in a file of its own that only the owner may read, and keeps them', async () => {
    const folder = path.join(scratchFolder(), 'state');
    const first = await prepareState(folder);
    const paths = statePaths(folder);
    expect(first.tokenIsNew).toBe(true);
    expect(Buffer.from(first.token, 'base64url')).toHaveLength(32);
    const secrets = [
      paths.token,
      paths.signingKey,
      paths.masterKey,
      paths.vmTokenSecret,
      ...[...ROLES.map(({ name }) => name), 'operator', 'demo'].map(paths.nkeySeed),
    ];
    for (const file of secrets) expect(mode(file)).toBe(0o600);
    expect(mode(paths.root) & 0o066).toBe(0);
    const before = secrets.map((file) => readFileSync(file, 'utf8'));
    const second = await prepareState(folder);
    expect(second).toMatchObject({ token: first.token, tokenIsNew: false, clusterId: first.clusterId, publicKey: first.publicKey });
    expect(secrets.map((file) => readFileSync(file, 'utf8'))).toEqual(before);
  });

  it('hands out the public half of its signing key only', async () => {
    const { publicKey } = await prepareState(path.join(scratchFolder(), 'state'));
    expect(publicKey).toMatchObject({ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', kid: expect.any(String) });
    expect(publicKey).not.toHaveProperty('d');
  });

  it('takes the token of the environment, and refuses one that could not be sent in a header', async () => {
    const folder = path.join(scratchFolder(), 'state');
    expect(await prepareState(folder, { PLEXUS_TOKEN: 'mine' })).toMatchObject({ token: 'mine', tokenIsNew: false });
    expect(readPrivate(statePaths(folder).token)).toBe('mine');
    await expect(prepareState(folder, { PLEXUS_TOKEN: 'two words' })).rejects.toMatchObject({ code: 'SETTING_INVALID' });
  });
});

describe('the embedded nats-server', () => {
  it('lets each role do what its contracts say, and a foreign client what an integrator may', async () => {
    const folder = scratchFolder();
    const { natsUsers, paths, integratorPassword } = await prepareState(path.join(folder, 'state'));
    const server = await startNatsServer({ dir: path.join(folder, 'nats'), users: natsUsers });
    const open: NatsConnection[] = [];
    const client = async (options: Parameters<typeof connect>[0]): Promise<NatsConnection> => {
      const connection = await connect({ servers: server.url, reconnect: false, ...options });
      open.push(connection);
      return connection;
    };
    const nkey = (role: string) => nkeyAuthenticator(new TextEncoder().encode(readPrivate(paths.nkeySeed(role))));
    try {
      const operator = await client({ authenticator: nkey('operator') });
      const seen = operator.subscribe('plexus.in.>', { max: 2 });
      await operator.flush();
      const demo = await client({ user: 'demo', pass: integratorPassword });
      const denied: string[] = [];
      const watch = (connection: NatsConnection): void => {
        void (async () => {
          for await (const status of connection.status()) if (status.type === 'error') denied.push(String(status.error));
        })();
      };
      watch(demo);
      demo.publish('plexus.in.default.demo.thing-happened.v1.k1', '{}');
      demo.publish('plexus.in.default.other.thing-happened.v1.k1', '{}');
      demo.publish('plexus.in.acme.demo.thing-happened.v1.k1', '{}');
      demo.publish('plexus.cmd.default.run.start.v1.s1', '{}');
      await demo.flush();
      const sameByNkey = await client({ authenticator: nkey('demo') });
      sameByNkey.publish('plexus.in.default.demo.thing-happened.v1.k2', '{}');
      await sameByNkey.flush();
      const subjects: string[] = [];
      for await (const message of seen) subjects.push(message.subject);
      expect(subjects).toEqual(['plexus.in.default.demo.thing-happened.v1.k1', 'plexus.in.default.demo.thing-happened.v1.k2']);
      await waitFor(() => denied.length >= 3);
      expect(denied).toHaveLength(3);
      await expect(client({})).rejects.toThrow(/authorization/i);
      await expect(client({ user: 'demo', pass: 'wrong' })).rejects.toThrow(/authorization/i);
      for (const role of ROLES) {
        const own = await client({ authenticator: nkey(role.name), inboxPrefix: `_INBOX_${role.name}` });
        const denials: string[] = [];
        void (async () => {
          for await (const status of own.status()) if (status.type === 'error') denials.push(String(status.error));
        })();
        for (const subject of permissionsFor(role).subscribe.allow) own.subscribe(subject);
        await own.flush();
        expect(denials).toEqual([]);
      }
    } finally {
      for (const connection of open) await connection.close();
      await server.stop();
    }
  });

  it('says that its port is taken', async () => {
    const server = await startNatsServer({ dir: scratchFolder() });
    await expect(startNatsServer({ dir: scratchFolder(), port: server.port })).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: expect.stringContaining(`port ${server.port} is taken by another program`),
      hint: expect.stringContaining(`ss -ltnp 'sport = :${server.port}'`),
    });
    await server.stop();
  });

  it('says so also when it is gone before anybody has looked at it, and its last words come after its end', async () => {
    const scripts = ['echo "listen: address already in use" >&2; exit 1', '( sleep 0.2; echo "bind: Address already in use" >&2 ) & exit 1'];
    for (const script of scripts) {
      const log = new ReadyLog();
      const server = await startGuarded({
        command: '/bin/sh',
        args: ['-c', script],
        env: { PATH: '/usr/bin:/bin' },
        stopSignal: 'SIGTERM',
        onOutput: (text) => log.add(text),
      });
      await expect(log.waitFor('Server is up', server, 60_000, 'probe', 4_711)).rejects.toMatchObject({
        code: 'PORT_TAKEN',
        hint: expect.stringContaining('4711'),
      });
      expect(isRunning(server.identity)).toBe(false);
    }
  });
});

describe('the embedded Postgres', () => {
  it('starts again on the same port and data although the killed one’s sessions were busy', async () => {
    const dir = path.join(scratchFolder(), 'postgres');
    const first = await startPostgres({ dir });
    const busy = new pg.Client({ connectionString: first.url() });
    busy.on('error', () => {}); // the server is about to be killed
    await busy.connect();
    await busy.query('create table kept as select 1 as one');
    const sleeping = busy.query('select pg_sleep(60)').then(
      () => 'answered',
      () => 'broken off',
    );
    first.process.signal('SIGKILL');
    await first.process.ended;
    const second = await startPostgres({ dir, port: first.port });
    expect(await sleeping).toBe('broken off');
    const client = new pg.Client({ connectionString: second.url() });
    await client.connect();
    expect((await client.query('select one from kept')).rows).toEqual([{ one: 1 }]);
    expect((await client.query('show fsync')).rows).toEqual([{ fsync: 'on' }]);
    await client.end();
    await second.stop();
    expect(findWorkingIn(path.join(dir, 'data'), 'postgres')).toEqual([]);
    expect(existsSync(path.join(dir, 'data/postmaster.pid'))).toBe(false);
  });

  it('of a guard that was killed is stopped before the next one starts', async () => {
    const dir = path.join(scratchFolder(), 'postgres');
    const first = await startPostgres({ dir });
    process.kill(parentOf(first.process.identity.pid), 'SIGKILL');
    await first.process.ended;
    expect(identify(first.process.identity.pid)).toEqual(first.process.identity);
    const second = await startPostgres({ dir, port: first.port });
    expect(identify(first.process.identity.pid)).toBeUndefined();
    await second.stop();
  });

  it('refuses a folder that its account cannot reach, and says what to do', async () => {
    if (process.getuid?.() !== 0) return; // only root runs Postgres as somebody else
    const closed = path.join(scratchFolder(), 'closed');
    mkdirSync(closed, { mode: 0o700 });
    await expect(startPostgres({ dir: path.join(closed, 'postgres') })).rejects.toMatchObject({
      code: 'STATE_UNREADABLE',
      message: expect.stringContaining('PLEXUS_STATE_DIR'),
    });
  });
});

describe('a guarded process', () => {
  it('is found by its environment, and stops when asked although it ignores the signal', async () => {
    const marker = `m${process.pid}`;
    const guarded = await startGuarded({
      command: '/bin/sh',
      args: ['-c', 'trap "" TERM; while :; do sleep 0.1; done'],
      env: { PATH: '/usr/bin:/bin', PLEXUS_TEST_MARKER: marker },
      stopSignal: 'SIGTERM',
      onOutput: () => {},
    });
    try {
      // A child shows its own environment only once it has become the program.
      await waitFor(() => findByEnvironment('PLEXUS_TEST_MARKER', marker).some(({ pid }) => pid === guarded.identity.pid));
    } finally {
      await guarded.stop(200);
    }
    expect(identify(guarded.identity.pid)).toBeUndefined();
  });

  it('that does not listen to its signal does not outlive the one that started it, however that ended', async () => {
    const script = `
      import { startGuarded } from ${JSON.stringify(pathToFileURL(path.join(import.meta.dirname, '../dist/src/index.js')).href)};
      let deaf;
      const heard = new Promise((resolve) => (deaf = resolve));
      const { identity } = await startGuarded({
        command: '/bin/sh',
        args: ['-c', 'trap "" TERM; echo deaf; while :; do sleep 0.2; done'],
        env: { PATH: '/usr/bin:/bin' },
        stopSignal: 'SIGTERM',
        onOutput: (text) => text.includes('deaf') && deaf(),
      });
      await heard;
      console.log(JSON.stringify(identity));
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    parent.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    await waitFor(() => said.includes('\n'));
    const server = JSON.parse(said) as ProcessIdentity;
    expect(isRunning(server)).toBe(true);
    parent.kill('SIGKILL');
    expect(await waitUntilGone(server, 60_000)).toBe(true);
  });

  it('that cannot be started is an error with the reason', async () => {
    const start = startNatsServer({ dir: scratchFolder(), binary: '/no/such/program' });
    await expect(start).rejects.toMatchObject({ code: 'PROCESS_FAILED', message: expect.stringContaining('/no/such/program') });
  });
});

function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}
