import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createAccount, createOperator, createUser, type KeyPair } from '@nats-io/nkeys';
import { type Bus, connectBus } from '@plexus/bus';
import { findNatsServer, freePort, type GuardedProcess, startGuarded } from '@plexus/local-stack';
import { type ThrowAwayFolder, throwAwayFolder, waitFor } from '@plexus/testing';
import { readCredentials } from '../src/lifecycle/read-credentials.js';

const UNLIMITED = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };

/** Claims as `nsc` writes them, signed by whoever stands above. */
function claims(issuer: KeyPair, subject: KeyPair, name: string, nats: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1_000);
  const text = `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part({
    jti: name.toUpperCase(),
    iat: now,
    iss: issuer.getPublicKey(),
    name,
    sub: subject.getPublicKey(),
    nats,
  })}`;
  return `${text}.${Buffer.from(issuer.sign(new TextEncoder().encode(text))).toString('base64url')}`;
}

function credsOf(account: KeyPair, name: string, subjects: readonly string[]): { readonly text: string; readonly key: string } {
  const user = createUser();
  const permissions = { pub: { allow: subjects }, sub: { allow: ['_INBOX_routing.>', ...subjects] } };
  const jwt = claims(account, user, name, { ...permissions, subs: -1, data: -1, payload: -1, type: 'user', version: 2 });
  const seed = new TextDecoder().decode(user.getSeed());
  const text = `-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`;
  return { text, key: user.getPublicKey() };
}

describe('a server whose accounts an operator manages', () => {
  const operator = createOperator();
  const account = createAccount();
  let folder: ThrowAwayFolder;
  let server: GuardedProcess;
  let port: number;
  let bus: Bus | undefined;

  /** The account as the server shall know it from now on. */
  function writeConfig(revoked: Readonly<Record<string, number>>): string {
    const file = path.join(folder.path, 'nats.conf');
    const operatorClaims = claims(operator, operator, 'operator', { type: 'operator', version: 2 });
    const accountClaims = claims(operator, account, 'plexus', { limits: UNLIMITED, revocations: revoked, type: 'account', version: 2 });
    writeFileSync(
      file,
      `listen: "127.0.0.1:${port}"\noperator: "${operatorClaims}"\nresolver: MEMORY\nresolver_preload: { ${account.getPublicKey()}: "${accountClaims}" }\n`,
    );
    return file;
  }

  async function startServer(configFile: string): Promise<GuardedProcess> {
    const output: string[] = [];
    const started = await startGuarded({
      command: await findNatsServer(),
      args: ['-c', configFile],
      cwd: folder.path,
      env: { PATH: process.env.PATH },
      stopSignal: 'SIGTERM',
      onOutput: (text) => output.push(text),
    });
    await waitFor(() => output.join('').includes('Server is ready'), { what: 'nats-server' });
    return started;
  }

  beforeAll(async () => {
    folder = throwAwayFolder('creds');
    port = await freePort();
    server = await startServer(writeConfig({}));
  });
  afterAll(async () => {
    await bus?.close();
    await server?.stop();
    folder?.remove();
  });

  it('takes a service by its creds file, and by the new one after the user in the old one was revoked, without a restart', async () => {
    const file = path.join(folder.path, 'routing.creds');
    const first = credsOf(account, 'routing-1', ['first']);
    const second = credsOf(account, 'routing-2', ['second']);
    writeFileSync(file, first.text);
    const credentials = readCredentials({ NATS_CREDS_FILE: file });
    bus = await connectBus({ service: 'routing', servers: `nats://127.0.0.1:${port}`, credentials });
    const heard: string[] = [];
    const listen = (subject: string): void => void bus?.connection.subscribe(subject, { callback: (_error, message) => void heard.push(message.subject) });
    listen('first');
    bus.connection.publish('first');
    await waitFor(() => heard.includes('first'), { what: 'what the first user may hear' });

    writeFileSync(file, second.text);
    await server.stop();
    server = await startServer(writeConfig({ [first.key]: Math.floor(Date.now() / 1_000) + 1 }));
    const { connection } = bus;
    await waitFor(
      async () => {
        listen('second');
        connection.publish('second');
        await connection.flush().catch(() => undefined);
        return heard.includes('second');
      },
      { intervalMs: 200, what: 'what only the second user may hear' },
    );
    expect(readFileSync(file, 'utf8')).toBe(second.text);
  });

  it.each([
    ['a seed alone', () => new TextDecoder().decode(createUser().getSeed())],
    ['nothing of it', () => 'hello'],
  ])('a creds file that holds %s stops the start and is not quoted', (_what, text) => {
    const file = path.join(folder.path, 'broken.creds');
    writeFileSync(file, text());
    expect(() => readCredentials({ NATS_CREDS_FILE: file })).toThrow(/NATS_CREDS_FILE=".*broken\.creds" holds no credentials of a user/);
    expect(() => readCredentials({ NATS_CREDS_FILE: file, NATS_NKEY_SEED_FILE: file })).toThrow('set one');
  });
});
