import type { Bus } from '@plexus/bus';

/** What still fits: messages that are under way when the size is read must not push older ones out. */
const SLACK_BYTES = 16 * 1024;
const PATIENCE_MS = 60_000;

/**
 * Lets a stream be as full as its disk would be: it keeps what it has and refuses more (also one that would otherwise drop its oldest), until `hold`
 * settles; then it is as declared again.
 */
export async function fillStream(bus: Bus, stream: string, hold: () => Promise<void>): Promise<void> {
  const info = await persist(() => bus.jetstream.streamInfo(stream));
  if (info === undefined) throw new Error(`there is no stream ${stream}`);
  const { config, state } = info;
  await persist(() => bus.jetstream.updateStream({ ...config, discard: 'new' as typeof config.discard, max_bytes: state.bytes + SLACK_BYTES }));
  try {
    await hold();
  } finally {
    await persist(() => bus.jetstream.updateStream(config));
  }
}

/** The cluster may be without a leader just now. */
async function persist<T>(work: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() >= giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}
