// The platform: a chat over TCP, with nothing of Plexus in it. The first line is your name, every further one goes to everybody.
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

export interface RoomMessage {
  readonly id: string;
  readonly author: string;
  readonly text: string;
}

export class Room {
  private readonly people = new Set<Socket>();
  private readonly server: Server;
  private readonly heard: (message: RoomMessage) => Promise<void>;
  private count = 0;

  /** `heard` is told of every message; the room goes on listening to its author when that has resolved. */
  constructor(heard: (message: RoomMessage) => Promise<void>) {
    this.heard = heard;
    this.server = createServer((socket) => void this.welcome(socket));
  }

  async open(port = 0): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    return (this.server.address() as { port: number }).port;
  }

  /** Shows a line to everybody, and answers with its id. */
  say(author: string, text: string): string {
    this.count += 1;
    for (const person of this.people) person.write(`${author}: ${text}\n`);
    return String(this.count);
  }

  close(): void {
    for (const person of this.people) person.destroy();
    this.server.close();
  }

  private async welcome(socket: Socket): Promise<void> {
    this.people.add(socket);
    socket.on('close', () => this.people.delete(socket)).on('error', () => socket.destroy());
    let author: string | undefined;
    for await (const line of createInterface({ input: socket })) {
      if (author === undefined) author = line;
      else await this.heard({ id: `${Date.now()}-${this.say(author, line)}`, author, text: line });
    }
  }
}
