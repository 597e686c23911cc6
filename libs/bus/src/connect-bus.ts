import type { Bus } from './bus.js';
import type { BusOptions } from './bus-options.js';
import { countReconnect, recordConnected } from './instrumentation.js';
import { openLink } from './link.js';
import { NatsBus } from './nats-bus.js';

/** Connects. Later losses are repaired for ever, with jitter. Fails with UNAVAILABLE when the first connection does not succeed in time. */
export async function connectBus(options: BusOptions): Promise<Bus> {
  const link = await openLink(options);
  recordConnected(true);
  link.listen({
    disconnected: () => recordConnected(false),
    reconnected: () => {
      recordConnected(true);
      countReconnect();
    },
    closed: () => recordConnected(false),
  });
  return new NatsBus(link, options);
}
