import { readFileSync } from 'node:fs';
import { nkeyAuthenticator, connect, type NatsConnection, PermissionViolationError, tokenAuthenticator } from '@nats-io/transport-node';
import { BUCKETS, CONSUMERS, CONTRACTS, type Contract, ROLES, type RoleDefinition, STREAMS } from '@plexus/contracts';
import { waitFor } from '../../src/index.js';
import { SecuredNats } from './secured-nats.js';
import { noOpenssl } from './throw-away-ca.js';

/** One thing that a credential tries, and whether the contracts say that it may. */
interface Attempt {
  readonly act: 'publish' | 'subscribe';
  readonly subject: string;
  readonly allowed: boolean;
}

const reason = noOpenssl();
const suite = reason === undefined ? describe : describe.skip;
const TENANT = 'acme';
const keyed = (contract: Contract, tenant = TENANT): string => contract.pattern(tenant).replaceAll('*', 'x').replace('>', 'x');

const STREAM_ORDERS = ['CREATE', 'UPDATE', 'DELETE', 'PURGE', 'SNAPSHOT', 'RESTORE'];

/** What no service may do to a stream, whatever it reads and writes: only the operator changes the plan. */
function streamOrders(): Attempt[] {
  const streams = [...STREAMS.map(({ name }) => name), ...Object.values(BUCKETS).map(({ name }) => `KV_${name}`)];
  return streams.flatMap((stream) => STREAM_ORDERS.map((order): Attempt => ({ act: 'publish', subject: `$JS.API.STREAM.${order}.${stream}`, allowed: false })));
}

/** Taking, changing or removing the work of somebody else's consumer. */
function consumerOrders(owns: (name: string) => boolean): Attempt[] {
  return Object.values(CONSUMERS).flatMap(({ stream, name }): Attempt[] => [
    { act: 'publish', subject: `$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`, allowed: owns(name) },
    { act: 'publish', subject: `$JS.ACK.${stream}.${name}.1.1.1.1.1`, allowed: owns(name) },
    ...['DURABLE.CREATE', 'CREATE', 'DELETE'].map(
      (order): Attempt => ({ act: 'publish', subject: `$JS.API.CONSUMER.${order}.${stream}.${name}`, allowed: false }),
    ),
  ]);
}

const EAVESDROPPING = ['>', 'plexus.>', `plexus.evt.${TENANT}.>`, `plexus.rpc.>`, '$SYS.>', '$JS.>', '$KV.>', '_INBOX.>', '_INBOX_*.>'];

function attemptsOf(role: RoleDefinition): Attempt[] {
  const contracts = CONTRACTS.filter(({ kind }) => ['rpc', 'evt', 'cmd', 'rt', 'log'].includes(kind));
  const has = (list: readonly Contract[], contract: Contract) => list.some((one) => one.pattern() === contract.pattern());
  // A subject that one of the role's declared exceptions covers is no contract of its own.
  const excepted = (subject: string) => (role.extraPublish ?? []).some(({ subject: pattern }) => matches(pattern, subject));
  const written = new Set(role.bucketsWritten.map(({ name }) => name));
  return [
    ...contracts.map((contract): Attempt => {
      const subject = keyed(contract);
      const may = contract.kind === 'rpc' ? has(role.calls, contract) : has(role.publishes, contract);
      return { act: 'publish', subject, allowed: may || excepted(subject) };
    }),
    ...contracts
      .filter(({ kind }) => kind === 'rpc' || kind === 'rt')
      .map(
        (contract): Attempt => ({
          act: 'subscribe',
          subject: contract.pattern(),
          allowed: has(contract.kind === 'rpc' ? role.serves : role.listens, contract),
        }),
      ),
    ...Object.values(BUCKETS).map(({ name }): Attempt => ({ act: 'publish', subject: `$KV.${name}.somebody.else`, allowed: mayWriteAnyKey(name, written) })),
    ...ROLES.filter((other) => other !== role).flatMap((other): Attempt[] => [
      { act: 'subscribe', subject: `_INBOX_${other.name}.>`, allowed: false },
      { act: 'publish', subject: `$KV.${BUCKETS.keys.name}.${other.name}.forged`, allowed: false },
    ]),
    ...streamOrders(),
    ...consumerOrders((name) => role.consumes.some((one) => one.name === name)),
    ...EAVESDROPPING.map((subject): Attempt => ({ act: 'subscribe', subject, allowed: false })),
    { act: 'publish', subject: '$SYS.REQ.SERVER.PING', allowed: false },
    { act: 'publish', subject: `plexus.in.${TENANT}.crm.x.v1.x`, allowed: excepted(`plexus.in.${TENANT}.crm.x.v1.x`) },
  ];
}

/** Buckets where a role may write only under its own name are tried with that name elsewhere. */
function mayWriteAnyKey(bucket: string, written: ReadonlySet<string>): boolean {
  return written.has(bucket) && bucket !== BUCKETS.keys.name && bucket !== BUCKETS.channelSends.name;
}

function matches(pattern: string, subject: string): boolean {
  const [wanted, given] = [pattern.split('.'), subject.split('.')];
  return (
    wanted.every((token, at) => (token === '>' ? given.length > at : at < given.length && (token === '*' || token === given[at]))) &&
    (wanted.at(-1) === '>' || wanted.length === given.length)
  );
}

suite(`what a NATS credential may do, tried on a server${reason === undefined ? '' : ` (${reason})`}`, () => {
  let nats: SecuredNats;
  const connections: NatsConnection[] = [];

  beforeAll(async () => {
    nats = await SecuredNats.start({ servers: 1, integrators: [{ tenant: TENANT, source: 'crm', granted: ['session'] }] });
  }, 120_000);
  afterAll(async () => {
    await Promise.all(connections.map((connection) => connection.close()));
    await nats?.stop();
  });

  async function as(name: string): Promise<NatsConnection> {
    const seed = new TextEncoder().encode(readFileSync(nats.seedFile(name), 'utf8').trim());
    const connection = await connect({ servers: nats.url, authenticator: nkeyAuthenticator(seed), tls: { caFile: nats.ca.certFile }, noAsyncTraces: true });
    connections.push(connection);
    return connection;
  }

  /** What the server refused, as `<act> <subject>`. */
  async function refusals(name: string, attempts: readonly Attempt[]): Promise<Set<string>> {
    const connection = await as(name);
    const refused = new Set<string>();
    void (async () => {
      for await (const status of connection.status()) {
        if (status.type === 'error' && status.error instanceof PermissionViolationError) refused.add(`${status.error.operation} ${status.error.subject}`);
      }
    })();
    for (const { act, subject } of attempts) {
      if (act === 'publish') connection.publish(subject, '{}');
      else connection.subscribe(subject, { callback: () => undefined });
    }
    // The server answers in order: behind the answer to this there is no refusal any more but those the client has not handed on yet.
    await connection.flush();
    const expected = attempts.filter(({ allowed }) => !allowed).length;
    await waitFor(() => refused.size >= expected, { timeoutMs: 60_000, what: 'refusals' }).catch(() => undefined);
    return refused;
  }

  it.each(ROLES.map((role) => [role.name, role] as const))('%s may do what its contracts say, and nothing else of all that there is', async (name, role) => {
    const attempts = [...new Map(attemptsOf(role).map((attempt) => [`${attempt.act} ${attempt.subject}`, attempt])).values()];
    const refused = await refusals(name, attempts);
    const wrong = attempts.filter(({ act, subject, allowed }) => refused.has(`${act === 'publish' ? 'publish' : 'subscription'} ${subject}`) === allowed);
    expect(wrong).toEqual([]);
    expect(attempts.filter(({ allowed }) => !allowed).length).toBeGreaterThan(300);
    expect(attempts.some(({ allowed }) => allowed)).toBe(true);
  });

  it('an integrator enters events under its own source of its own tenant, reads what was granted, and calls what people call', async () => {
    const rpcs = CONTRACTS.filter(({ kind }) => kind === 'rpc');
    const attempts: Attempt[] = [
      { act: 'publish', subject: `plexus.in.${TENANT}.crm.contact-updated.v1.c1`, allowed: true },
      { act: 'publish', subject: `plexus.in.${TENANT}.shop.contact-updated.v1.c1`, allowed: false },
      { act: 'publish', subject: 'plexus.in.globex.crm.contact-updated.v1.c1', allowed: false },
      { act: 'subscribe', subject: `plexus.evt.${TENANT}.session.>`, allowed: true },
      { act: 'subscribe', subject: `plexus.evt.${TENANT}.push.>`, allowed: false },
      { act: 'subscribe', subject: 'plexus.evt.globex.session.>', allowed: false },
      { act: 'subscribe', subject: 'plexus.evt.*.session.>', allowed: false },
      { act: 'subscribe', subject: '_INBOX_.globex.crm.>', allowed: false },
      ...rpcs.map((contract): Attempt => ({ act: 'publish', subject: keyed(contract, 'globex'), allowed: false })),
      ...rpcs.filter(({ domain }) => domain === 'vm').map((contract): Attempt => ({ act: 'publish', subject: keyed(contract), allowed: false })),
      ...rpcs.map((contract): Attempt => ({ act: 'subscribe', subject: contract.pattern(TENANT), allowed: false })),
      ...CONTRACTS.filter(({ kind }) => kind === 'cmd' || kind === 'evt' || kind === 'rt').map(
        (contract): Attempt => ({ act: 'publish', subject: keyed(contract), allowed: false }),
      ),
      ...Object.values(BUCKETS).flatMap(({ name }): Attempt[] => [
        { act: 'publish', subject: `$KV.${name}.${TENANT}`, allowed: false },
        { act: 'publish', subject: `$JS.API.DIRECT.GET.KV_${name}`, allowed: false },
      ]),
      ...streamOrders(),
      ...consumerOrders(() => false),
      ...EAVESDROPPING.map((subject): Attempt => ({ act: 'subscribe', subject, allowed: false })),
    ];
    const refused = await refusals(`integrator-${TENANT.length}-${TENANT}-crm`, attempts);
    expect(attempts.filter(({ act, subject, allowed }) => refused.has(`${act === 'publish' ? 'publish' : 'subscription'} ${subject}`) === allowed)).toEqual([]);
  });

  it('nobody gets in without a key; the system user sees no messages', async () => {
    const without = connect({ servers: nats.url, tls: { caFile: nats.ca.certFile }, reconnect: false, authenticator: tokenAuthenticator('x') });
    await expect(without).rejects.toThrow();
    const [system, operator] = [await as('system'), await as('operator')];
    const heard: string[] = [];
    system.subscribe('plexus.>', { callback: (_error, message) => void heard.push(message.subject) });
    await system.flush();
    operator.publish(`plexus.in.${TENANT}.crm.x.v1.x`, '{}');
    await operator.flush();
    await system.flush();
    expect(heard).toEqual([]);
  });
});
