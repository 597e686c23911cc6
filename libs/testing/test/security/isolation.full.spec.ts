import { METHODS } from '@plexus/client-protocol';
import { BUCKETS, sessionContracts } from '@plexus/contracts';
import { createPool } from '@plexus/database';
import { REQUEST_METHODS, TELL_METHODS, VM_FRAMES } from '@plexus/vm-protocol';
import { waitFor } from '../../src/index.js';
import { type OpenApi, openClient, poolOf, RPCS, type Row, streamPaths, tryHttp, tryMethods, tryRpcs } from './attack.js';
import { writeIsolationReport } from './isolation-report.js';
import { NODE_METHODS, tryNode } from './node-attack.js';
import { type Planted, plant } from './plant.js';
import { startTwoTenants, type TwoTenants } from './two-tenants.js';
import { tryVm } from './vm-attack.js';

/** Inputs that no schema describes, or whose fields depend on each other. A new route that is only refused for its form fails this suite until it has one. */
const LATER = new Date(Date.now() + 30 * 86_400_000).toISOString();
const SKILL = '---\nname: vault\ndescription: Mine.\nversion: 1.0.0\n---\nMine.\n';
const BODIES: Readonly<Record<string, unknown>> = {
  'PUT /v1/config': { agents: { list: [{ id: 'main', default: true }] } },
  'POST /v1/config/check': { document: { agents: { list: [{ id: 'main', default: true }] } } },
  'POST /v1/policies': 'name: mine\n',
  'POST /v1/policies/test': 'name: mine\n',
  'PUT /v1/policies/{version}': 'name: mine\n',
  'POST /v1/contacts': { channel: 'email', address: 'mine@example.org' },
  'PUT /v1/quiet-hours': { tz: 'UTC', start: '23:58', end: '23:59' },
  'POST /v1/schedules': { name: 'mine', at: LATER, action: { kind: 'agent', agentId: 'main', message: 'mine', sessionKey: 'agent:main:vault' } },
  'POST /v1/send': { channel: 'webhook', to: 'mine', text: 'mine', sessionKey: 'agent:main:vault', idempotencyKey: 'mine' },
  'POST /v1/silences': { matchers: [{ label: 'type', op: '=', value: 'never' }], seconds: 60, reason: 'mine' },
  'POST /v1/skills': { files: [{ path: 'SKILL.md', content: SKILL }] },
  'POST /v1/subscriptions': { scopeKind: 'topic', scopeRef: 'mine' },
  'POST /v1/subscriptions/import': { rows: [{ user: 'bella', scopeKind: 'topic', scopeRef: 'mine' }] },
};
const PARAMS: Readonly<Record<string, unknown>> = {
  'sessions.patch': { key: 'agent:main:vault', label: 'mine' },
  'push.subscribe': { scopeKind: 'topic', scopeRef: 'mine' },
  send: { to: 'mine', channel: 'webhook', message: 'mine', idempotencyKey: 'try-send', sessionKey: 'agent:main:vault' },
  'cron.add': {
    name: 'mine',
    schedule: { kind: 'every', everyMs: 3_600_000 },
    sessionTarget: 'isolated',
    wakeMode: 'now',
    payload: { kind: 'agentTurn', message: 'mine' },
  },
};
const NODE = 'for sockets of the role node only, which speak for themselves';
const EXTERNAL = 'no external template is declared here; it makes something of the caller';
/** Rows that end at the form of their input in every case, with the reason why nothing of anybody's can be reached through them. */
const FORM_ONLY: Readonly<Record<string, string>> = {
  'HTTP PATCH /v1/config': "needs the ETag of the caller's own document; the question behind it has a row",
  'HTTP POST /v1/memory/import': 'takes lines of another content type; the question behind it has a row',
  'HTTP POST /v1/vms/attach': EXTERNAL,
  'RPC, own subject vm.attach-external': EXTERNAL,
  'WebSocket message.action': 'hands on to `send`, which has a row',
  ...Object.fromEntries(
    ['event', 'invoke.result', 'invoke.progress', 'pluginTools.update', 'skills.update', 'runnerInventory.update', 'pending.drain', 'pending.pull'].map(
      (name) => [`WebSocket node.${name}`, NODE],
    ),
  ),
};

const leaksOf = (rows: readonly Row[], { person, tenant }: Planted): Row[] => rows.filter(({ answer }) => answer.includes(person) || answer.includes(tenant));

describe('what a tenant can reach of another', () => {
  let two: TwoTenants;
  let planted: Planted;
  let document: OpenApi;
  const rows: Row[] = [];
  const heard: string[] = [];
  let forged = '';
  let node: Awaited<ReturnType<typeof tryNode>>;

  beforeAll(async () => {
    // With runtimes that people start themselves, the attacker has one that says what it likes.
    two = await startTwoTenants({ PROVIDER: 'local,external' });
    planted = await plant(two, two.victim);
    document = JSON.parse((await two.attacker.ask('GET', '/v1/openapi.json')).text) as OpenApi;
  }, 300_000);
  afterAll(async () => {
    await two?.stop();
  }, 60_000);

  const pool = () => poolOf(planted, two.victim);

  /** Tables of a schema that others share; each has its tenant in a column of one of these names. */
  async function eachTable<T>(look: (name: string, query: (text: string, values: unknown[]) => Promise<T | undefined>) => Promise<void>): Promise<void> {
    const database = createPool({ url: two.mesh.databaseUrl, schema: 'public', applicationName: 'test', max: 1 });
    try {
      const tables = await database.query<{ name: string }>(
        'tables',
        `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
          WHERE table_type = 'BASE TABLE' AND table_schema IN ('routing', 'push', 'scheduler') AND table_name NOT LIKE 'outbox%' ORDER BY 1`,
        [],
      );
      for (const { name } of tables) await look(name, async (text, values) => (await database.query<T>(`look_${name}`, text, values))[0]);
    } finally {
      await database.close();
    }
  }

  /** Rows of the victim that hold its markers, by table. */
  async function marked(): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    await eachTable<{ n: number; foreign_rows: number }>(async (name, query) => {
      const text = `SELECT count(*)::int AS n, count(*) FILTER (WHERE coalesce(to_jsonb(one)->>'tenant', to_jsonb(one)->>'tenant_id', to_jsonb(one)->>'t', $2) <> $2)::int AS foreign_rows
                      FROM ${name} one WHERE to_jsonb(one)::text LIKE '%' || $1 || '%'`;
      const row = await query(text, [planted.person, two.victim.tenant]);
      if (row !== undefined && row.n > 0) counts[name] = row.n;
      expect(`${name}: ${row?.foreign_rows} rows of others with the marker`).toBe(`${name}: 0 rows of others with the marker`);
    });
    return counts;
  }

  /** Tables in which a tenant has rows with a marker. */
  async function rowsOf(marker: string, tenant: string): Promise<string[]> {
    const found: string[] = [];
    await eachTable<{ n: number }>(async (name, query) => {
      const text = `SELECT count(*)::int AS n FROM ${name} one
                     WHERE to_jsonb(one)::text LIKE '%' || $1 || '%' AND $2 IN (to_jsonb(one)->>'tenant', to_jsonb(one)->>'tenant_id', to_jsonb(one)->>'t')`;
      if (((await query(text, [marker, tenant]))?.n ?? 0) > 0) found.push(name);
    });
    return found;
  }

  it('is nothing, by any route, method, question or stream, and nothing of it changes', async () => {
    const before = await marked();
    expect(Object.keys(before).length).toBeGreaterThan(12);

    // Ears of the attacker: a socket that follows everything, and every stream of events, open until the end.
    const ears = await openClient(two, two.attacker, (text) => heard.push(text));
    await ears.request('sessions.subscribe');
    const streams = new AbortController();
    const listening = streamPaths(document, two.attacker, planted, pool()).map(async ({ name, path }) => {
      const response = await fetch(`${two.mesh.gateway.http}${path}`, {
        headers: { authorization: `Bearer ${two.attacker.token}`, accept: 'text/event-stream' },
        signal: streams.signal,
      });
      let text = '';
      rows.push({ surface: 'stream', name, outcome: `${response.status}, open until the end`, answer: '' });
      try {
        for await (const chunk of response.body ?? []) {
          text += Buffer.from(chunk as Uint8Array).toString();
          heard.push(text);
        }
      } catch (error) {
        if (!streams.signal.aborted) throw error;
      }
    });

    rows.push(...(await tryHttp(document, two.attacker, planted, pool(), BODIES)));
    rows.push(...(await tryMethods(two, two.attacker, planted, pool(), PARAMS, (text) => heard.push(text))));

    const vm = await tryVm(two, two.attacker, planted, pool());
    rows.push(...vm.rows);
    forged = vm.forged;
    node = await tryNode(two, two.attacker, two.victim);
    rows.push(...node.rows);

    // The victim goes on living: what happens now is heard by whoever listens in the wrong place.
    await two.victim.do('POST', '/v1/chat/send', { sessionKey: planted.sessionKey, message: `Again ${planted.person}.`, on_client_disconnect: 'continue' });
    await two.victim.do('POST', '/v1/tools/notify-user', { summary: `Once more ${planted.person}` });
    const ownMarker = 'my-own-marker';
    await two.attacker.do('POST', '/v1/chat/send', { sessionKey: 'agent:main:own', message: ownMarker, on_client_disconnect: 'continue' });
    await two.attacker.do('POST', '/v1/tools/notify-user', { summary: ownMarker });
    await waitFor(() => heard.some((text) => text.includes('inbox.item') || text.includes(ownMarker)), {
      what: 'something of its own in the ears of the attacker',
    });

    rows.push(...(await tryRpcs(two, two.attacker, planted, pool(), two.victim)));
    streams.abort();
    await Promise.all(listening);
    ears.close();

    // The same attempts by the owner do find the markers: the names were right, and there was something to be found.
    const reads = { ...document, paths: Object.fromEntries(Object.entries(document.paths).map(([path, { get }]) => [path, get === undefined ? {} : { get }])) };
    const own = leaksOf(await tryHttp(reads as OpenApi, two.victim, planted, pool(), BODIES), planted);
    const leaks = leaksOf(rows, planted);
    writeIsolationReport(rows, leaks, own.length);

    expect(leaks.map(({ surface, name, outcome, answer }) => ({ surface, name, outcome, answer: answer.slice(0, 500) }))).toEqual([]);
    expect(heard.filter((text) => text.includes(planted.person) || text.includes(planted.tenant))).toEqual([]);
    expect(own.length).toBeGreaterThan(15);
    const after = await marked();
    expect(Object.fromEntries(Object.entries(before).filter(([table, count]) => (after[table] ?? 0) < count))).toEqual({});
  }, 900_000);

  it('has a row for every route, method and question, and each of them got further than the form of its input', () => {
    const names = (surface: Row['surface']) => rows.filter((row) => row.surface === surface).map(({ name }) => name);
    const operations = Object.entries(document.paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
    expect(operations.filter((name) => ![...names('HTTP'), ...names('stream')].includes(name))).toEqual([]);
    expect(Object.keys(METHODS).filter((name) => !names('WebSocket').includes(name))).toEqual([]);
    for (const surface of ['RPC, own subject', 'RPC, foreign subject'] as const) {
      expect(RPCS.map(({ domain, name }) => `${domain}.${name}`).filter((name) => !names(surface).includes(name))).toEqual([]);
    }
    const calls = [...Object.keys(REQUEST_METHODS).map((name) => `request ${name}`), ...Object.keys(TELL_METHODS).map((name) => `fire_and_forget ${name}`)];
    const frames = Object.keys(VM_FRAMES).filter((type) => !['request', 'fire_and_forget'].includes(type));
    expect([...calls, ...frames.map((type) => `frame ${type}`)].filter((name) => !names('VM socket').includes(name))).toEqual([]);
    expect(NODE_METHODS.map(({ name }) => name).filter((name) => !names('node socket').includes(name))).toEqual([]);
    const stuck = rows.filter(({ surface, name, outcome }) => /INVALID|TIMEOUT|INTERNAL|refused ERROR/.test(outcome) && !(`${surface} ${name}` in FORM_ONLY));
    expect(stuck.map(({ surface, name, outcome, answer }) => `${surface} ${name}: ${outcome} ${answer.slice(0, 300)}`)).toEqual([]);
  });

  it('a VM comes in as itself only, and what it says of sessions of another tenant is nowhere in that tenant', async () => {
    const hellos = rows.filter(({ surface, name }) => surface === 'VM socket' && name.startsWith('auth '));
    expect(hellos.filter(({ outcome }) => !/^refused 4\d{3}$/.test(outcome))).toEqual([]);
    expect(hellos.length).toBeGreaterThan(4);
    expect(await rowsOf(forged, two.victim.tenant)).toEqual([]);
    const history = await two.victim.ask('GET', `/v1/sessions/${encodeURIComponent(planted.sessionKey)}/history`);
    expect(history.text).toContain(planted.person);
    expect(history.text).not.toContain(forged);
    const last = await two.operator.lastOnSubject('PLEXUS_EVT_SESSION', sessionContracts.sessionEvent.subject(two.victim.tenant, planted.sessionId));
    expect(Buffer.from(last?.raw ?? '').toString()).not.toContain(forged);
  });

  it('a machine of one tenant says nothing for the machine of the same name in another', () => {
    expect(node.answer).toContain('/bin/sh');
    expect(node.answer).not.toContain(node.forged);
    expect(node.heard.filter((text) => text.includes(node.forged))).toEqual([]);
    const results = node.rows.filter(({ name }) => name.startsWith('node.invoke.'));
    expect(results.map(({ name, answer }) => `${name}: ${answer}`).filter((text) => text.includes('/bin/sh'))).toEqual([]);
  });

  it('no question on the subject of another tenant is answered at all', () => {
    const answered = rows.filter(
      ({ surface, outcome }) => surface === 'RPC, foreign subject' && !/refused (FORBIDDEN|TENANT_MISMATCH|UNAUTHENTICATED)/.test(outcome),
    );
    expect(answered.map(({ name, outcome }) => `${name}: ${outcome}`)).toEqual([]);
  });

  it('markers stand only under keys of their tenant, in every bucket', async () => {
    const wrong: string[] = [];
    // Kept answers of requests: their names are digests of tenant, user, route and key.
    for (const definition of Object.values(BUCKETS).filter((one) => one !== BUCKETS.vmRequests)) {
      const bucket = await two.operator.kv(definition);
      for (const key of await bucket.keys()) {
        const text = Buffer.from((await bucket.get(key))?.value ?? '').toString();
        if ((text.includes(planted.person) || text.includes(planted.tenant)) && !key.split('.').includes(two.victim.tenant))
          wrong.push(`${definition.name} ${key}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});
