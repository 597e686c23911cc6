import { randomBytes, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Bus } from '@plexus/bus';
import { GatewayClient, type SocketLike } from '@plexus/client-protocol';
import { createPool } from '@plexus/database';
import { statePaths } from '@plexus/local-stack';
import { WebSocket } from 'ws';
import {
  connectTestBus,
  type FakeOpenAi,
  marked,
  startFakeOpenAi,
  startTestMesh,
  type TestMesh,
  type ThrowAwayFolder,
  throwAwayFolder,
  waitFor,
} from '../../src/index.js';
import { MeshUser } from './mesh-user.js';
import { RecordingProxy } from './recording-proxy.js';

/** The key of the model provider; its only place is a file that the scheduler reads. */
const MODEL_KEY = `sk-e2e-${randomBytes(24).toString('hex')}`;
const SESSION = 'agent:main:secret';

/** A place where secrets have been looked for, and which of them were there. */
interface Finding {
  readonly where: string;
  readonly secret: string;
}

/** One line of a span file. */
interface SpanLine {
  readonly service: string;
  readonly name: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

describe('C8: secrets of a mesh in use', () => {
  let mesh: TestMesh;
  let model: FakeOpenAi;
  let folder: ThrowAwayFolder;
  let bus: Bus;
  /** Everything that clients, and VMs, and the gateway say to each other goes through these. */
  let clientSide: RecordingProxy;
  let vmSide: RecordingProxy;
  const traffic: Buffer[] = [];

  beforeAll(async () => {
    folder = throwAwayFolder('secrets');
    writeFileSync(path.join(folder.path, 'model-key'), MODEL_KEY, { mode: 0o600 });
    model = await startFakeOpenAi(({ messages }) => {
      const last = messages.at(-1);
      const search = { id: 'call-1', name: 'memory_search', arguments: JSON.stringify({ query: 'what was said' }) };
      return last?.role === 'user' && JSON.stringify(last.content).includes('Look it up')
        ? { kind: 'tools', calls: [search] }
        : { kind: 'text', pieces: ['Done', '.'] };
    });
    const gatewayPort = () => Number(new URL(mesh.gateway.http).port);
    [clientSide, vmSide] = await Promise.all([RecordingProxy.start(gatewayPort), RecordingProxy.start(gatewayPort)]);
    mesh = await startTestMesh({ env: { CONTROL_PLANE_WS: `ws://127.0.0.1:${vmSide.port}/ws/vm` } });
    const paths = statePaths(mesh.stateDir);
    bus = await connectTestBus(mesh.nats, { credentials: { nkeySeed: readFileSync(paths.nkeySeed('operator'), 'utf8').trim() } });
    bus.connection.subscribe('>', {
      callback: (_error, message) => {
        const headers = message.headers === undefined ? '' : [...message.headers].map(([name, values]) => `${name}: ${values.join(',')}`).join('\n');
        traffic.push(Buffer.concat([Buffer.from(`${message.subject}\n${headers}\n`), message.data]));
      },
    });
    await bus.connection.flush();
    await useModel();
  }, 240_000);
  afterAll(async () => {
    await bus?.close();
    await mesh?.stop();
    await Promise.all([clientSide?.stop(), vmSide?.stop()]);
    await model?.stop();
    folder?.remove();
  }, 60_000);

  /** From now on the agent asks the model, with its key. */
  async function useModel(): Promise<void> {
    const user = new MeshUser(`http://127.0.0.1:${clientSide.port}`, mesh.token);
    const provider = { baseUrl: model.baseUrl, apiKey: { file: path.join(folder.path, 'model-key') }, models: [{ id: 'm' }] };
    const config = { agents: { list: [{ id: 'main', default: true, model: 'fake/m' }] }, models: { providers: { fake: provider } } };
    await waitFor(() => user.request('PUT', '/v1/config', config, { 'if-match': '*' }).then(() => true), { timeoutMs: 60_000, what: 'the configuration' });
    // Every service takes the configuration over in its own time; until then the VM has no model.
    const askedModel = async () => {
      await user.complete(SESSION, [await user.say(SESSION, 'Use your key.')], 60_000);
      return model.requests.length > 0;
    };
    await waitFor(askedModel, { timeoutMs: 120_000, intervalMs: 500, what: 'a call of the model' });
  }

  /** By name: what must be nowhere but in its own file. */
  function secrets(): ReadonlyMap<string, string> {
    const paths = statePaths(mesh.stateDir);
    const read = (file: string) => readFileSync(file, 'utf8').trim();
    return new Map([
      ['model key', MODEL_KEY],
      ['gateway token', mesh.token],
      ['master key', read(paths.masterKey)],
      ['secret of VM tokens', read(paths.vmTokenSecret)],
      ['private signing key', (JSON.parse(read(paths.signingKey)) as { d: string }).d],
      ...['gateway', 'routing', 'scheduler'].map((role) => [`nkey of ${role}`, read(paths.nkeySeed(role))] as const),
    ]);
  }

  const search = (where: string, bytes: Buffer): Finding[] =>
    [...secrets()].filter(([, value]) => bytes.includes(value)).map(([secret]) => ({ where, secret }));

  /** The token of a person goes up once per request or socket: there and nowhere else. */
  function searchSockets(): Finding[] {
    const said = search('what clients say', clientSide.said()).filter(({ secret }) => secret !== 'gateway token');
    return [...said, ...search('what clients hear', clientSide.heard()), ...search('what VMs say', vmSide.said()), ...search('what VMs hear', vmSide.heard())];
  }

  /** One message over a socket of a client, until it is answered. */
  async function sayOverSocket(message: string): Promise<void> {
    const url = `ws://127.0.0.1:${clientSide.port}`;
    const client = new GatewayClient({ url, token: mesh.token, createSocket: (target) => new WebSocket(target) as unknown as SocketLike });
    await client.connect({ timeoutMs: 60_000 });
    try {
      const idempotencyKey = randomUUID();
      await client.request('chat.send', { sessionKey: SESSION, message, idempotencyKey });
      await new MeshUser(mesh.gateway.http, mesh.token).complete(SESSION, [idempotencyKey], 60_000);
    } finally {
      client.close();
    }
  }

  /** Logs, traces, streams, the files of both databases, journals and workspaces: everything below the state folder but the credentials. */
  function filesBelow(directory: string): string[] {
    return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
      const file = path.join(directory, entry.name);
      if (entry.isDirectory()) return entry.name === 'credentials' ? [] : filesBelow(file);
      return entry.isFile() ? [file] : [];
    });
  }

  function readIfThere(file: string): Buffer {
    try {
      return statSync(file).size > 64 * 1024 * 1024 ? Buffer.alloc(0) : readFileSync(file);
    } catch (error) {
      // Servers remove files of theirs while they run.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
      throw error;
    }
  }

  async function databaseText(): Promise<Buffer> {
    const pool = createPool({ url: mesh.databaseUrl, schema: 'public', applicationName: 'test', max: 1 });
    try {
      const tables = await pool.query<{ name: string }>(
        'tables',
        `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
          WHERE table_type = 'BASE TABLE' AND table_schema IN ('routing', 'push', 'scheduler')`,
        [],
      );
      expect(tables.length).toBeGreaterThan(10);
      const texts: string[] = [];
      for (const { name } of tables) {
        const rows = await pool.query<{ row: string }>(`dump_${name}`, `SELECT to_jsonb(one)::text AS row FROM ${name} one`, []);
        texts.push(...rows.map(({ row }) => row));
      }
      return Buffer.from(texts.join('\n'));
    } finally {
      await pool.close();
    }
  }

  it('are in no traffic, log, event, argument, environment or database, although a run has used them', async () => {
    // The key did its work: what follows is no search for something that was never there.
    expect(model.requests.map(({ authorization }) => authorization)).toEqual(model.requests.map(() => `Bearer ${MODEL_KEY}`));

    const database = await databaseText();
    expect(database.includes('Use your key.')).toBe(true);
    const words = `Once more over a socket ${randomUUID()}`;
    await sayOverSocket(words);
    const findings: Finding[] = [...search('traffic', Buffer.concat(traffic)), ...search('database', database), ...searchSockets()];
    for (const file of filesBelow(mesh.stateDir)) findings.push(...search(path.relative(mesh.stateDir, file), readIfThere(file)));
    const processes = marked(mesh.clusterId);
    expect(processes.length).toBeGreaterThan(5);
    for (const { pid } of processes) {
      for (const part of ['cmdline', 'environ']) findings.push(...search(`${part} of ${pid}`, readIfThere(`/proc/${pid}/${part}`)));
    }
    expect(findings).toEqual([]);
    // The sockets were in the clear for this test: what is meant to be on them was seen.
    for (const said of [words, '"type":"req"', 'authorization: Bearer']) expect(clientSide.said().toString('latin1')).toContain(said);
    for (const heard of ['"type":"hello-ok"', 'HTTP/1.1 200']) expect(clientSide.heard().toString('latin1')).toContain(heard);
    for (const said of ['"type":"auth"', '"type":"sse_event"', 'usage_report']) expect(vmSide.said().toString('latin1')).toContain(said);
    for (const heard of [words, '"type":"init"', '"model_endpoint"', '"sealed"']) expect(vmSide.heard().toString('latin1')).toContain(heard);
    const text = Buffer.concat(traffic).toString('latin1');
    // The capture saw the run: its command, the VM's frames, the answer.
    for (const subject of ['plexus.cmd.default.run.start', 'vm.outbox-read', 'plexus.evt.default.session.event']) expect(text).toContain(subject);
  }, 240_000);

  /** The spans of one trace, from the files of all services. */
  function spansOf(traceId: string): { readonly lines: SpanLine[]; readonly text: string } {
    const directory = statePaths(mesh.stateDir).traces;
    // File by file: one whose last line is being written must not run into the next.
    const text = readdirSync(directory)
      .flatMap((file) => readFileSync(path.join(directory, file), 'utf8').split('\n'))
      .filter((line) => line.includes(traceId));
    const lines = text.flatMap((line) => {
      try {
        return [JSON.parse(line) as SpanLine];
      } catch {
        return []; // a line that was read while it was written; it is whole the next time
      }
    });
    return { lines, text: text.join('\n') };
  }

  it('one trace leads from the request of a client over messages and rows to model and tools in the VM, and holds nothing that was said', async () => {
    const traceId = randomBytes(16).toString('hex');
    const user = new MeshUser(`http://127.0.0.1:${clientSide.port}`, mesh.token);
    const words = `Look it up ${randomBytes(8).toString('hex')}`;
    const headers = { traceparent: `00-${traceId}-${randomBytes(8).toString('hex')}-01` };
    const { runId } = await user.request<{ runId: string }>('POST', '/v1/chat/send', { sessionKey: SESSION, message: words }, headers);
    await user.complete(SESSION, [runId], 60_000);
    const wanted = [
      ...['gateway POST /v1/chat/send', 'routing serve rpc routing.accept-message.v1', 'routing pg', 'scheduler handle scheduler-run', 'scheduler pg'],
      ...['runtime invoke_agent main', 'runtime chat m', 'runtime execute_tool memory_search', 'memory serve rpc memory.search'],
    ];
    let missing: string[] = wanted;
    const isThere = (name: string, { service, name: found }: SpanLine): boolean => `${service} ${found}`.startsWith(name);
    const complete = () => {
      missing = wanted.filter((name) => !spansOf(traceId).lines.some((line) => isThere(name, line)));
      return missing.length === 0;
    };
    await waitFor(complete, { timeoutMs: 60_000, what: 'every part of the trace' }).catch(() => undefined);
    const { lines, text } = spansOf(traceId);
    expect({ missing, of: missing.length === 0 ? [] : lines.map(({ service, name }) => `${service} ${name}`) }).toEqual({ missing: [], of: [] });

    const one = (name: string) => lines.find((line) => isThere(name, line)) as SpanLine;
    const parents = new Map(lines.map(({ spanId, parentSpanId }) => [spanId, parentSpanId]));
    const above = (span: SpanLine): string[] => {
      const ids: string[] = [];
      for (let id = span.parentSpanId; id !== undefined && ids.length < 100; id = parents.get(id)) ids.push(id);
      return ids;
    };
    const tool = one('runtime execute_tool memory_search');
    expect(above(one('memory serve rpc memory.search'))).toEqual(
      expect.arrayContaining([tool.spanId, one('runtime invoke_agent main').spanId, one('gateway POST /v1/chat/send').spanId]),
    );
    expect(one('runtime chat m').attributes).toMatchObject({ 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'fake', 'plexus.tenant': 'default' });
    for (const said of [words, 'what was said', 'Done.']) expect(text).not.toContain(said);
  }, 180_000);
});
