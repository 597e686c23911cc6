import { type Bus, listParked } from '@plexus/bus';
import { CONSUMERS } from '@plexus/contracts';

const READ_TIMEOUT_MS = 60_000;

/** Ids of runs whose end is in the stream of session events. */
export async function endedRuns(bus: Bus): Promise<string[]> {
  const ended = new Set<string>();
  await readAll(bus, 'PLEXUS_EVT_SESSION', 'plexus.evt.*.session.event.v1.>', (body) => {
    const { runId, event } = (body as { data?: { runId?: string; event?: { type?: string } } }).data ?? {};
    if (runId !== undefined && (event?.type === 'execution_complete' || event?.type === 'execution_error')) ended.add(runId);
  });
  return [...ended];
}

/** Ids of the foreign events that are stored, with repeats. */
export async function storedEvents(bus: Bus): Promise<string[]> {
  const ids: string[] = [];
  await readAll(bus, 'PLEXUS_IN', 'plexus.in.>', (body) => ids.push(String((body as { id?: unknown }).id)));
  return ids;
}

export async function parkedMessages(bus: Bus): Promise<{ subject: string; reason: string }[]> {
  const parked = await listParked(bus, { limit: 1_000 });
  return parked.map(({ originSubject, code, reason, consumer }) => ({ subject: originSubject, reason: `${consumer}: ${code} ${reason}` }));
}

/** Consumers that still have something to do, each as a sentence. */
export async function backlog(bus: Bus): Promise<string[]> {
  const found: string[] = [];
  for (const { stream, name } of Object.values(CONSUMERS)) {
    const info = await bus.jetstream.consumerInfo(stream, name);
    if (info === undefined) continue;
    if (info.num_pending + info.num_ack_pending > 0) found.push(`consumer ${name}: ${info.num_pending} waiting, ${info.num_ack_pending} unacknowledged`);
  }
  return found;
}

async function readAll(bus: Bus, stream: string, filter: string, take: (body: unknown) => void): Promise<void> {
  let complete: () => void = () => {};
  let fail: (error: unknown) => void = () => {};
  const done = new Promise<void>((resolve, reject) => {
    complete = resolve;
    fail = reject;
  });
  const handler = (message: { json(): unknown; pending: number }): void => {
    take(message.json());
    if (message.pending === 0) complete();
  };
  const reading = bus.readOrdered(stream, { filter, from: 'all' }, handler, { onError: fail });
  const timer = setTimeout(() => fail(new Error(`${stream} could not be read within ${READ_TIMEOUT_MS} ms`)), READ_TIMEOUT_MS);
  try {
    if ((await reading.ready) > 0) await done;
  } finally {
    clearTimeout(timer);
    await reading.stop();
  }
}
