import { get as httpGet, type IncomingMessage } from 'node:http';
import { waitFor } from '@plexus/testing';

export interface SseEvent {
  readonly id?: number;
  /** The id as it was sent: those of inboxes are no numbers. */
  readonly lastEventId?: string;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into events of every shape
  readonly data: any;
}

/** Reads one event stream, as EventSource does. */
export class EventReader {
  readonly events: SseEvent[] = [];
  comments = 0;
  ended = false;
  status = 0;
  private rest = '';
  private response: IncomingMessage | undefined;

  constructor(url: string, headers: Record<string, string>) {
    const request = httpGet(url, { headers }, (response) => {
      this.response = response;
      this.status = response.statusCode ?? 0;
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => this.read(chunk));
      response.on('close', () => {
        this.ended = true;
      });
    });
    request.on('error', () => {
      this.ended = true;
    });
  }

  ready(): Promise<unknown> {
    return waitFor(() => this.comments > 0 || this.status >= 400, { what: 'the stream' });
  }

  types(): string[] {
    return this.events.map(({ event }) => event);
  }

  close(): void {
    this.response?.destroy();
  }

  private read(chunk: string): void {
    const blocks = (this.rest + chunk).split('\n\n');
    this.rest = blocks.pop() ?? '';
    for (const block of blocks) {
      if (block.startsWith(':')) this.comments += 1;
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
      const [event, data, id] = [field('event'), field('data'), field('id')];
      if (event !== undefined) this.events.push({ event, data: JSON.parse(data ?? 'null'), ...(id !== undefined && { id: Number(id), lastEventId: id }) });
    }
  }
}
