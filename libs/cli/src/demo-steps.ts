import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, headers } from '@nats-io/transport-node';
import { GatewayClient } from '@plexus/client-protocol';
import WebSocket from 'ws';

/** What the demo needs to know of a mesh. */
export interface DemoMesh {
  readonly http: string;
  readonly ws: string;
  readonly token: string;
  /** `nats://user:password@host:port` of the integrator `demo`, as a foreign program would have it. */
  readonly integratorUrl: string;
}

/** One step: says what happens while it happens, returns what it proved, throws when it did not. */
export interface DemoStep {
  readonly title: string;
  run(mesh: DemoMesh, say: (line: string) => void): Promise<string>;
}

const STEP_TIMEOUT_MS = 60_000;
const POLL_MS = 100;

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + STEP_TIMEOUT_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${STEP_TIMEOUT_MS / 1_000} s`);
    await sleep(POLL_MS);
  }
}

async function api<T>(mesh: DemoMesh, method: string, path: string, body?: unknown, extra: Record<string, string> = {}): Promise<T> {
  const response = await fetch(`${mesh.http}${path}`, {
    method,
    headers: { authorization: `Bearer ${mesh.token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...extra },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(15_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
  return JSON.parse(text === '' ? '{}' : text) as T;
}

/** Opens a client connection, runs `work`, and always closes it. */
async function withClient<T>(mesh: DemoMesh, work: (client: GatewayClient) => Promise<T>): Promise<T> {
  const client = new GatewayClient({ url: mesh.ws, token: mesh.token, client: { id: 'cli', mode: 'cli' }, createSocket: (url) => new WebSocket(url) as never });
  try {
    await client.connect({ timeoutMs: 15_000 });
    return await work(client);
  } finally {
    client.close();
  }
}

interface History {
  readonly messages: readonly { readonly role: string; readonly content?: readonly { readonly text?: string }[] }[];
}

const chat: DemoStep = {
  title: 'A client connects, sends a message and sees the answer arrive in pieces',
  run: (mesh, say) =>
    withClient(mesh, async (client) => {
      const sessionKey = `agent:main:demo-${randomUUID().slice(0, 8)}`;
      const question = 'Hello, who are you and what can you do?';
      say(`connected to ${mesh.ws} as ${client.hello?.auth?.role ?? 'operator'}`);
      say(`you     ${question}`);
      let pieces = 0;
      let answer = '';
      for await (const piece of client.chatSend({ sessionKey, message: question })) {
        if (piece.type === 'delta') pieces += 1;
        if (piece.type === 'aborted') throw new Error('the run was aborted');
        if (piece.type === 'final') answer = piece.text;
      }
      if (answer === '') throw new Error('the answer is empty');
      if (pieces < 2) throw new Error(`the answer came in ${pieces} piece(s) instead of several`);
      say(`agent   ${answer}`);
      // The end reaches the socket straight from the stream; the transcript is written by routing from the same stream.
      const roles = await until('both sides in the history', async () => {
        const history = (await client.history(sessionKey)) as History;
        return history.messages.length >= 2 ? history.messages.map((message) => message.role) : undefined;
      });
      if (roles.join() !== 'user,assistant') throw new Error(`the history holds ${roles.join()} instead of user,assistant`);
      return `${pieces} pieces streamed; chat.history returns both sides`;
    }),
};

const event: DemoStep = {
  title: 'A foreign NATS client publishes a CloudEvent; it reaches the inbox and the open socket',
  run: (mesh, say) =>
    withClient(mesh, async (client) => {
      const caseId = `case-${randomUUID().slice(0, 8)}`;
      await api(mesh, 'POST', '/v1/subscriptions', { scopeKind: 'case', scopeRef: caseId });
      say(`you follow ${caseId}`);
      const onSocket = new Promise<number>((resolve) => {
        client.on('inbox.item', (payload) => {
          if (JSON.stringify(payload).includes(caseId)) resolve((payload as { offset: number }).offset);
        });
      });
      const { host, username, password } = new URL(mesh.integratorUrl);
      const foreign = await connect({ servers: host, user: username, pass: decodeURIComponent(password), timeout: 5_000 });
      const id = randomUUID();
      try {
        const h = headers();
        h.set('Nats-Msg-Id', id);
        const cloudEvent = {
          specversion: '1.0',
          id,
          source: '/demo',
          type: 'demo.import-finished',
          severity: 'high',
          data: { summary: `4,212 rows imported into ${caseId}`, caseId },
        };
        const ack = await foreign.request(`plexus.in.default.demo.import-finished.v1.${caseId}`, JSON.stringify(cloudEvent), { headers: h, timeout: 5_000 });
        say(`published to plexus.in.default.demo.import-finished.v1.${caseId}, stored as ${ack.string()}`);
      } finally {
        await foreign.close();
      }
      const item = await until('the item in the inbox', async () => {
        const inbox = await api<{ items: { offset: number; title: string; events: { id: string }[] }[] }>(mesh, 'GET', '/v1/inbox?limit=50');
        return inbox.items.find((candidate) => candidate.events.some((one) => one.id === id));
      });
      say(`inbox   #${item.offset} ${item.title}`);
      const deadline = new AbortController();
      // Aborted once the item is there: nobody looks at the rest of the sleep.
      const offset = await Promise.race([onSocket, sleep(STEP_TIMEOUT_MS, undefined, { signal: deadline.signal, ref: false }).catch(() => undefined)]);
      deadline.abort();
      if (offset !== item.offset) throw new Error('the item did not reach the open socket');
      return `inbox item #${item.offset}, and the same item on the socket`;
    }),
};

const memory: DemoStep = {
  title: 'A memory is written over HTTP and found by its words',
  run: async (mesh, say) => {
    const word = `harbour${randomUUID().slice(0, 6)}`;
    const content = `The user prefers short answers; code word ${word}. 用户偏好使用PostgreSQL数据库`;
    const written = await api<{ id: string; result: string }>(mesh, 'POST', '/v1/memory', { content, kind: 'preference' }, { 'idempotency-key': randomUUID() });
    say(`written ${written.id} (${written.result})`);
    for (const query of [word, '数据库']) {
      const answer = await api<{ mode: string; hits: { id: string; score: number }[] }>(mesh, 'GET', `/v1/memory/search?q=${encodeURIComponent(query)}&k=50`);
      const hit = answer.hits.find((candidate) => candidate.id === written.id);
      if (hit === undefined) throw new Error(`searching ${query} did not find it`);
      say(`found by ${JSON.stringify(query)}: score ${hit.score.toFixed(2)}, mode ${answer.mode}`);
    }
    const nothing = await api<{ hits: { id: string }[] }>(mesh, 'GET', `/v1/memory/search?q=${encodeURIComponent('天气')}`);
    if (nothing.hits.some((hit) => hit.id === written.id)) throw new Error('an unrelated word found it too');
    return 'found by an English and a Chinese word, and not by an unrelated one';
  },
};

/** The three things that the mesh does, in order. */
export const DEMO_STEPS: readonly DemoStep[] = [chat, event, memory];
