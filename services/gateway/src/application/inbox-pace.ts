import { CLOSE_CODES } from '@plexus/client-protocol';
import type { Clock } from '@plexus/kernel';
import { LivedTime } from '../domain/lived-time.js';
import type { SharedEvent } from './client-connection.js';

/** Whoever reads an inbox as it grows: the socket of a client, or an event stream. */
export interface InboxReader {
  readonly open: boolean;
  /** Bytes that it has not taken yet. */
  readonly bufferedBytes: number;
  /** Acknowledges what it got; while it catches up, its acks set the pace. */
  readonly keepsInbox?: boolean;
  /** Takes no live items until it has caught up. */
  readonly lagging?: boolean;
  /** Not false: the event is on its way. */
  send(event: SharedEvent): boolean | undefined;
  /** It has everything up to the head, and gets live items from now on. */
  caughtUp?(): void;
  close(code: number, reason: string): void;
}

/** A reader of an inbox, and how far it is. */
export interface Member {
  /** Offset of the last item that was sent on this connection. */
  last: number;
  /** False while it is being brought up to the feed; live items would come too early. */
  live: boolean;
  /** It said that it has everything up to this offset. */
  acked: number;
  /** Called when it has acknowledged more. */
  wake?: () => void;
  /** Changes of older items that it was not told. */
  missed: number;
}

/** Pages are fetched no faster than the socket takes them. */
const DRAINED_BYTES = 262_144;
const DRAIN_POLL_MS = 20;
/** A reader that takes or acknowledges nothing for so long is closed. */
const STALLED_MS = 60_000;
/** A look that comes so much too late does not count: this process was held up, and what the reader did meanwhile is not read yet. */
const HELD_UP_MS = 1_000;
/** Items that a lagging reader may have without having acknowledged them. */
const LAG_WINDOW = 200;
const LAG_POLL_MS = 100;

/** Waits until the reader has taken, and where it acknowledges also acknowledged, enough of what it was sent. False: it is gone, or made no progress and was closed. */
export async function hasRoom(reader: InboxReader, member: Member, clock: Clock, isServed: () => boolean): Promise<boolean> {
  let { acked } = member;
  const ran = new LivedTime(LAG_POLL_MS, HELD_UP_MS);
  let since = 0;
  while (isServed()) {
    const { lived } = ran.turn(clock.monotonic());
    const unacknowledged = reader.keepsInbox === true ? member.last - member.acked : 0;
    if (reader.bufferedBytes <= DRAINED_BYTES && unacknowledged < LAG_WINDOW) return true;
    if (member.acked !== acked) {
      acked = member.acked;
      since = lived;
    } else if (lived - since >= STALLED_MS) {
      reader.close(CLOSE_CODES.policy, 'slow consumer');
      return false;
    }
    await pause(member, clock);
  }
  return false;
}

/** Until the reader acknowledges something, at most for a moment. */
export function pause(member: Member, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.setTimeout(resolve, LAG_POLL_MS);
    member.wake = () => {
      timer.cancel();
      resolve();
    };
  });
}

/** Waits until the reader has taken most of what it was sent; one that takes nothing for too long is closed. */
export async function drained(reader: InboxReader, clock: Clock, signal: AbortSignal): Promise<void> {
  const ran = new LivedTime(DRAIN_POLL_MS, HELD_UP_MS);
  while (reader.open && reader.bufferedBytes > DRAINED_BYTES) {
    signal.throwIfAborted();
    if (ran.turn(clock.monotonic()).lived > STALLED_MS) reader.close(CLOSE_CODES.policy, 'slow consumer');
    await clock.sleep(DRAIN_POLL_MS);
  }
}
