import { GatewayClient, type SocketLike } from '@plexus/client-protocol';
import { type Bus, connectBus } from '@plexus/bus';
import { WebSocket } from 'ws';
import { HttpUser } from '../clients/http-user.js';
import type { ChaosMesh } from '../mesh/chaos-mesh.js';
import { mintToken } from '../mesh/tokens.js';
import type { LoadKind } from './mix.js';

/** Tells when something that was begun elsewhere is seen: an answer, an event in the inbox. */
type Seen = (what: 'answer' | 'inbox', id: string) => void;

const SESSION = 'agent:main:main';
const WORDS = 'amber basalt cobalt delta ember fjord garnet harbor indigo jasper kelp lagoon maple nectar onyx pebble quartz raven sable tundra'.split(' ');

/** Everybody who works in a load test, with what each kind of operation does. */
export class LoadClients {
  private counter = 0;

  private constructor(
    private readonly clients: readonly { readonly client: GatewayClient; readonly http: HttpUser }[],
    private readonly publisher: Bus,
    private readonly tenant: string,
    private readonly source: string,
  ) {}

  /** `users` people of one tenant, connected, each following a case of its own, with a VM that runs. */
  static async connect(mesh: ChaosMesh, users: number, seen: Seen, note: (line: string) => void): Promise<LoadClients> {
    const [identity] = mesh.integrators;
    if (identity === undefined) throw new Error('a load test needs a tenant');
    const { tenant, user, password, source } = identity;
    const publisher = await connectBus({ service: user, servers: mesh.natsUrl, credentials: { user, pass: password } });
    const clients = [];
    for (let at = 0; at < users; at += 1) {
      const token = mintToken(mesh.state.paths.signingKey, tenant, `u${at}`, ['operator.admin', 'operator.read', 'operator.write']);
      const client = new GatewayClient({
        url: mesh.clientUrl,
        token,
        caps: ['plexus-inbox-v1'],
        maxPending: 100_000,
        createSocket: (url) => new WebSocket(url, { perMessageDeflate: false }) as unknown as SocketLike,
      });
      client.on('chat', (payload) => {
        const { runId, state } = payload as { runId: string; state: string };
        if (state === 'final') seen('answer', runId);
      });
      client.on('inbox.item', (payload) => {
        for (const { id } of (payload as { events?: { id: string }[] }).events ?? []) seen('inbox', id);
      });
      await client.connect({ timeoutMs: 60_000 });
      await client.request('inbox.resume', {}, { timeoutMs: 60_000 });
      const http = new HttpUser(mesh.httpUrl, token);
      await http.request('POST', '/v1/subscriptions', { scopeKind: 'case', scopeRef: `case-${at}` }, { timeoutMs: 60_000 });
      clients.push({ client, http });
    }
    for (const [at, { http }] of clients.entries()) {
      await http.request('POST', '/v1/vms/ensure', { scope: 'user', wait: 'ready', waitMs: 60_000 }, { timeoutMs: 70_000 });
      if ((at + 1) % 10 === 0) note(`${at + 1} of ${users} people have their VM`);
    }
    return new LoadClients(clients, publisher, tenant, source);
  }

  /** Begins one operation; settles when it is acknowledged. Returns the id by which its effect will be seen. */
  begin(kind: LoadKind, at: number): { readonly id: string; readonly done: Promise<unknown> } {
    this.counter += 1;
    const id = `${kind}-${this.counter}`;
    const one = this.clients[at];
    if (one === undefined) throw new RangeError(`there is no user ${at}`);
    return { id, done: this.send(kind, id, at, one.client) };
  }

  async close(): Promise<void> {
    for (const { client } of this.clients) client.close();
    await this.publisher.close();
  }

  private send(kind: LoadKind, id: string, at: number, client: GatewayClient): Promise<unknown> {
    const word = (offset: number): string => WORDS[(this.counter + offset) % WORDS.length] as string;
    switch (kind) {
      case 'chat':
        return client.request('chat.send', {
          sessionKey: SESSION,
          message: `${id} ${word(0)}?`,
          idempotencyKey: id,
          queueMode: 'followup',
          on_client_disconnect: 'continue',
        });
      case 'memory-search':
        return client.request('memory.search', { query: `${word(0)} ${word(7)}` });
      case 'memory-write':
        return client.request('memory.write', { content: `${id}: ${[0, 3, 7, 12].map(word).join(' ')}`, idempotencyKey: id });
      case 'vm-ensure':
        return (this.clients[at] as { http: HttpUser }).http.request('POST', '/v1/vms/ensure', { scope: 'user', wait: 'none' }, { timeoutMs: 30_000 });
      case 'event':
        return this.publish(id, `case-${at}`);
    }
  }

  private publish(id: string, caseId: string): Promise<unknown> {
    const { tenant, source } = this;
    const event = {
      specversion: '1.0',
      id,
      source: `/${source}`,
      type: `${source}.case-changed`,
      time: new Date().toISOString(),
      data: { summary: id, caseId },
    };
    const body = new TextEncoder().encode(JSON.stringify(event));
    return this.publisher.publishRaw(`plexus.in.${tenant}.${source}.case-changed.v1.${id}`, body, { msgId: id, timeoutMs: 30_000 });
  }
}
