import { GatewayClient, type SocketLike } from '@plexus/client-protocol';
import { WebSocket } from 'ws';
import type { DeviceView, InboxEntry } from '../history.js';
import type { Recorder } from './recorder.js';

export interface DeviceOptions {
  readonly url: string;
  readonly token: string;
  readonly tenant: string;
  readonly user: string;
  readonly name: string;
  readonly recorder: Recorder;
}

interface ItemPayload {
  readonly offset: number;
  readonly id: string;
  readonly cursor: string;
  readonly events?: readonly { readonly id: string }[];
}

const RESUME_AGAIN_MS = 500;
const RESUME_TIMEOUT_MS = 15_000;

/** One of a person's devices: a connection that comes back by itself, resumes the inbox behind the last item that it has, and remembers what it saw. */
export class Device {
  readonly client: GatewayClient;
  private readonly entries: InboxEntry[] = [];
  private readonly problems: string[] = [];
  private cursor: string | undefined;
  private connections = 0;
  private socket: WebSocket | undefined;
  private resumedOnce = false;
  private again: NodeJS.Timeout | undefined;

  constructor(private readonly options: DeviceOptions) {
    const { url, token, recorder, tenant, user } = options;
    this.client = new GatewayClient({
      url,
      token,
      caps: ['plexus-inbox-v1'],
      scopes: ['operator.admin'],
      reconnect: { baseMs: 200, capMs: 3_000 },
      createSocket: (address) => this.dial(address),
      onState: (state) => {
        if (state === 'connected') void this.resume(++this.connections);
      },
    });
    this.client.on('*', (payload) => recorder.shown(tenant, user, `an event on ${options.name}`, payload ?? ''));
    this.client.on('inbox.item', (payload) => this.take(payload as ItemPayload));
    this.client.on('chat', (payload) => this.noteEnd(payload as { runId: string; state: string }));
  }

  /** Offset of the last item that it has. */
  get last(): number {
    return this.entries.at(-1)?.offset ?? 0;
  }

  get isReady(): boolean {
    return this.resumedOnce && this.client.state === 'connected';
  }

  connect(timeoutMs: number): Promise<unknown> {
    return this.client.connect({ timeoutMs });
  }

  /** Goes away without a word and comes back. */
  cut(): void {
    this.socket?.terminate();
  }

  close(): void {
    clearTimeout(this.again);
    this.client.close();
  }

  view(): DeviceView {
    const { tenant, user, name } = this.options;
    return { tenant, user, device: name, entries: this.entries, problems: this.problems, connections: this.connections };
  }

  private dial(address: string): SocketLike {
    this.socket = new WebSocket(address, { perMessageDeflate: false, handshakeTimeout: 10_000 });
    return this.socket as unknown as SocketLike;
  }

  private async resume(connection: number): Promise<void> {
    try {
      const from = this.cursor;
      const answer = (await this.client.request('inbox.resume', from === undefined ? {} : { cursor: from }, { timeoutMs: RESUME_TIMEOUT_MS })) as {
        recovered: boolean;
        cursor: string;
        head: number;
      };
      if (!answer.recovered && from !== undefined) this.problems.push(`was not recovered from ${from} to ${answer.cursor}`);
      if (from === undefined && this.entries.length === 0) {
        if (answer.head > 0) this.problems.push(`began at ${answer.head}`);
        this.cursor ??= answer.cursor;
      }
      this.resumedOnce = true;
    } catch {
      // No answer, or not now: the same connection asks again, a new one asks by itself.
      if (connection === this.connections && this.client.state === 'connected') this.again = setTimeout(() => void this.resume(connection), RESUME_AGAIN_MS);
    }
  }

  private take({ offset, id, cursor, events = [] }: ItemPayload): void {
    if (offset !== this.last + 1) this.problems.push(`offset ${offset} came behind ${this.last} on connection ${this.connections}`);
    this.entries.push({ offset, id, events: events.map((event) => event.id) });
    this.cursor = cursor;
    if (offset % 10 === 0) this.client.request('inbox.ack', { offset }).catch(() => {}); // only moves a mark; the next one covers it
  }

  private noteEnd({ runId, state }: { runId: string; state: string }): void {
    if (state !== 'final' && state !== 'aborted' && state !== 'error') return;
    const { tenant, user, name, recorder } = this.options;
    recorder.ended({ tenant, user, connection: `${tenant}/${user}/${name}#${this.connections}`, runId, state });
  }
}
