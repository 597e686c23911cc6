import { type WebSocket, WebSocketServer } from 'ws';
import { waitFor } from '@plexus/testing';
import { type Call, HttpStandIn, type Reply } from './http-stand-in.js';

export const BOT_TOKEN = 'xoxb-1111111111-abcdefghij';
export const APP_TOKEN = 'xapp-1-A1-1111111111-abcdefghij';

/** Slack's Web API and Socket Mode on one loopback port. */
export class SlackStandIn extends HttpStandIn {
  connections = 0;
  /** Conversations of several people; all others are channels. */
  readonly multiPerson = new Set<string>();
  private readonly sockets: WebSocketServer;
  private readonly open = new Set<WebSocket>();
  private readonly acks = new Set<string>();
  private count = 0;

  private constructor() {
    super((call) => this.reply(call));
    this.sockets = new WebSocketServer({ server: this.http, path: '/link' });
    this.sockets.on('connection', (socket) => {
      this.connections += 1;
      this.open.add(socket);
      socket.on('close', () => this.open.delete(socket));
      socket.on('message', (data) => this.acks.add(JSON.parse(String(data)).envelope_id));
      socket.send(JSON.stringify({ type: 'hello', num_connections: 1, connection_info: { app_id: 'A1' } }));
    });
  }

  static async start(): Promise<SlackStandIn> {
    const standIn = new SlackStandIn();
    await standIn.listen();
    return standIn;
  }

  get apiUrl(): string {
    return `${this.url}/api/`;
  }

  /** Sends an event to the newest socket; returns its envelope id. */
  event(event: Record<string, unknown>): string {
    const envelope_id = `envelope-${++this.count}`;
    const payload = { type: 'event_callback', team_id: 'T1', event };
    const socket = [...this.open].at(-1);
    if (socket === undefined) throw new Error('nobody is connected');
    socket.send(JSON.stringify({ type: 'events_api', envelope_id, payload, accepts_response_payload: false }));
    return envelope_id;
  }

  acknowledged(envelope: string): Promise<true> {
    return waitFor(() => this.acks.has(envelope) || undefined, { what: `the ack of ${envelope}` }) as Promise<true>;
  }

  isAcknowledged(envelope: string): boolean {
    return this.acks.has(envelope);
  }

  closeSockets(): void {
    for (const socket of this.open) socket.close(1000);
  }

  override async stop(): Promise<void> {
    for (const socket of this.open) socket.terminate();
    this.sockets.close();
    await super.stop();
  }

  private reply({ path, headers, body }: Call): Reply {
    const token = headers.authorization?.replace('Bearer ', '');
    if (token !== BOT_TOKEN && token !== APP_TOKEN) return { body: { ok: false, error: 'invalid_auth' } };
    switch (path.split('/').at(-1)) {
      case 'auth.test':
        return { body: { ok: true, user_id: 'UBOT', team_id: 'T1', bot_id: 'BBOT' } };
      case 'apps.connections.open':
        return { body: { ok: true, url: `ws://127.0.0.1:${this.port}/link` } };
      case 'conversations.info':
        return { body: { ok: true, channel: { id: body.channel, is_mpim: this.multiPerson.has(body.channel) } } };
      case 'chat.postMessage':
        return { body: { ok: true, channel: body.channel, ts: `1790000100.${String(++this.count).padStart(6, '0')}` } };
      default:
        return { body: { ok: false, error: 'unknown_method' } };
    }
  }
}
