import type { Bus, OrderedMessage } from '@plexus/bus';
import { BUCKETS } from '@plexus/contracts';
import { type Clock, timeout } from '@plexus/kernel';

const STREAM = `KV_${BUCKETS.config.name}`;
const READ_TIMEOUT_MS = 10_000;

/** Every kept revision of one key of PLEXUS_CONFIG, oldest first; no bytes: a deletion. Rejects with TIMEOUT. */
export async function readConfigHistory(bus: Pick<Bus, 'readOrdered' | 'lastOnSubject'>, key: string, clock: Clock): Promise<OrderedMessage[]> {
  const subject = `$KV.${BUCKETS.config.name}.${key}`;
  const found: OrderedMessage[] = [];
  const last = await bus.lastOnSubject(STREAM, subject);
  if (last === undefined) return found;
  let finish: (error?: unknown) => void = () => undefined;
  const complete = new Promise<void>((resolve, reject) => {
    finish = (error) => (error === undefined ? resolve() : reject(error));
  });
  const reading = bus.readOrdered(
    STREAM,
    { filter: subject, from: 'all' },
    (message) => {
      found.push(message);
      // While others write, old revisions leave and the server's count of what is to come is not exact.
      if (message.pending === 0 || message.seq >= last.seq) finish();
    },
    { onError: finish },
  );
  try {
    await timeout(complete, READ_TIMEOUT_MS, { clock, what: 'history of a configuration' });
  } finally {
    await reading.stop();
  }
  return found;
}
