import type { Bus, BusOptions } from '@plexus/bus';

export interface TestBusOptions extends Partial<Omit<BusOptions, 'servers'>> {
  /** Create streams, consumers and buckets as the contracts declare them, unless they exist. Default false. */
  readonly apply?: boolean;
}

/** Connects to a test server; calls need no principal unless an `identity` is given. Close the bus before the server. */
export async function connectTestBus(url: string, options: TestBusOptions = {}): Promise<Bus> {
  const { applyStreams, connectBus } = await import('@plexus/bus'); // tests of the bus itself load this library too
  const { apply = false, ...rest } = options;
  const bus = await connectBus({ service: 'test', allowAnonymous: rest.identity === undefined, connectTimeoutMs: 60_000, ...rest, servers: url });
  if (apply) await applyStreams(bus);
  return bus;
}
