import { CLOSE_CODES } from '@plexus/client-protocol';
import { type Clock, spread, type Timer } from '@plexus/kernel';
import { untraced } from '@plexus/telemetry';
import { LivedTime } from '../../domain/lived-time.js';
import { shareEvent } from '../../application/client-connection.js';
import type { HealthNews } from '../../application/health-news.js';
import type { InboxFeeds } from '../../application/inbox-feeds.js';
import type { Log } from '../../application/ports.js';
import type { VmConnections } from '../../application/vm/vm-connections.js';
import type { Credential } from '../../domain/caller.js';
import type { ClientSocket } from './client-socket.js';
import type { Due } from './due.js';

export interface LivenessOptions {
  /** A client says hello within this. */
  readonly handshakeMs: number;
  readonly tickMs: number;
  readonly pingMs: number;
  readonly beatMs: number;
  /** A connection lives so much longer than its token. */
  readonly expiryGraceMs: number;
}

/** Sockets of one kind. */
interface Sockets<S extends Pingable> {
  all(): Iterable<S>;
}

/** Event streams, as far as they outlive their credentials. */
interface Streams {
  endWhere(matches: (credential: Credential) => boolean): void;
}

interface Pingable {
  awaitingPong: boolean;
  due: Due | undefined;
  ping(): void;
  terminate(): void;
}

/** A pong must come within this, or within one ping interval when that is shorter. */
const PONG_MS = 10_000;
const FINEST_MS = 20;
const COARSEST_MS = 1_000;

/**
 * The one timer behind pings, ticks, expiries, heartbeats of VMs and the comparison of inbox heads. Each socket has its own phase, so that the work is spread.
 * Peers are given time in which this process ran: when it was held up, their pongs may wait to be read.
 */
export class Liveness {
  private timer: Timer | undefined;
  private readonly ran: LivedTime;
  private stopped = false;
  private readonly stepMs: number;
  private sweepAt = 0;
  private beatAt = 0;

  constructor(
    private readonly clients: Sockets<Pingable & Pick<ClientSocket, 'connection' | 'close'>>,
    private readonly vms: Sockets<Pingable>,
    private readonly streams: Streams,
    private readonly inboxes: Pick<InboxFeeds, 'of' | 'sweep'>,
    private readonly vmConnections: Pick<VmConnections, 'beat'>,
    private readonly news: Pick<HealthNews, 'look'>,
    private readonly options: LivenessOptions,
    private readonly clock: Pick<Clock, 'monotonic' | 'setTimeout'>,
    private readonly log: Log,
  ) {
    const { tickMs, pingMs, beatMs } = options;
    this.stepMs = Math.min(COARSEST_MS, Math.max(FINEST_MS, Math.floor(Math.min(tickMs, pingMs, beatMs) / 5)));
    this.ran = new LivedTime(this.stepMs);
  }

  start(): void {
    this.timer = this.clock.setTimeout(() => {
      // What happens every second would bury the traces that people look for.
      untraced(() => this.turn(Math.floor(this.clock.monotonic())));
      if (!this.stopped) this.start();
    }, this.stepMs);
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  /** One turn of the wheel; nothing in it may end the wheel. */
  private turn(now: number): void {
    const { lived, heldUp } = this.ran.turn(now);
    if (heldUp) this.log.warn({ stepMs: this.stepMs }, 'this process was held up: nobody is found dead for it');
    try {
      for (const socket of this.clients.all()) this.attendClient(socket, now, lived);
      for (const socket of this.vms.all()) this.attend(socket, now, lived);
      this.streams.endWhere((credential) => this.isOver(credential));
      this.news.look(now);
      if (now >= this.sweepAt) {
        this.sweepAt = now + this.options.tickMs;
        void this.inboxes.sweep();
      }
      if (now >= this.beatAt) {
        this.beatAt = now + this.options.beatMs;
        void this.vmConnections.beat();
      }
    } catch (error) {
      this.log.error({ error }, 'a turn of the liveness wheel failed');
    }
  }

  private attendClient(socket: Pingable & Pick<ClientSocket, 'connection' | 'close'>, now: number, lived: number): void {
    const due = this.attend(socket, now, lived);
    const { connection } = socket;
    if (connection === undefined) {
      if (lived >= due.helloBy) socket.close(CLOSE_CODES.handshakeIdle, '');
      return;
    }
    if (this.isOver(connection.credential)) {
      socket.close(CLOSE_CODES.policy, 'the token has expired');
      return;
    }
    if (now < due.tickAt) return;
    due.tickAt = now + this.options.tickMs;
    const head = this.inboxes.of(connection)?.head;
    connection.send(shareEvent('tick', { ts: Date.now(), ...(head === undefined ? {} : { head }) }, true, { latestOf: 'tick' }));
  }

  private isOver({ expiresAt }: Credential): boolean {
    return expiresAt !== undefined && Date.now() > expiresAt + this.options.expiryGraceMs;
  }

  private attend(socket: Pingable, now: number, lived: number): Due {
    const { tickMs, pingMs, handshakeMs } = this.options;
    socket.due ??= { tickAt: now + tickMs, pingAt: nextPing(lived, pingMs), pongBy: 0, helloBy: lived + handshakeMs };
    const { due } = socket;
    // What falls due before the next turn is done in this one: a broken connection is found within 1.1 intervals and the wait for the pong, not later.
    const until = lived + this.stepMs;
    if (socket.awaitingPong) {
      if (until > due.pongBy) socket.terminate();
    } else if (until > due.pingAt) {
      socket.ping();
      due.pongBy = lived + Math.min(PONG_MS, pingMs);
      due.pingAt = nextPing(lived, pingMs);
    }
    return due;
  }
}

function nextPing(lived: number, pingMs: number): number {
  return lived + Math.floor(spread(pingMs, 0.1));
}
