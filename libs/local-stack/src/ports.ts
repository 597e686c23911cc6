import type { ChannelProcess } from './channel-processes.js';
import { freePort, isPortFree } from './free-port.js';
import { readPrivate, writePrivate } from './private-file.js';
import { isPortTaken } from './start-error.js';

/** Ports of the embedded servers and of the adapters that platforms call, as of the last start, so that addresses noted elsewhere stay valid. */
export type EmbeddedPorts = { readonly [name in 'nats' | 'postgres' | ChannelProcess]: number };

/** The port that a server had last time if it is free, else any free one. */
export async function preferredPort(file: string, name: keyof EmbeddedPorts): Promise<number> {
  const last = readPorts(file)[name];
  return last !== undefined && (await isPortFree(last)) ? last : freePort();
}

/**
 * Starts a server on the port it had last time if that is free, else on any free one, and on another when somebody takes that in the moment before the
 * server binds it. Returns the port.
 */
export async function startOnPreferredPort(file: string, name: keyof EmbeddedPorts, start: (port: number) => Promise<unknown>): Promise<number> {
  let port = await preferredPort(file, name);
  for (let attempt = 1; ; attempt += 1) {
    try {
      await start(port);
      return port;
    } catch (error) {
      if (attempt >= PORT_ATTEMPTS || !isPortTaken(error)) throw error;
      port = await freePort();
    }
  }
}

/** How many ports are tried before somebody takes one after the other on purpose. */
const PORT_ATTEMPTS = 3;

/** The port that a server had at the last start, if any. */
export function rememberedPort(file: string, name: keyof EmbeddedPorts): number | undefined {
  return readPorts(file)[name];
}

export function rememberPorts(file: string, ports: Partial<EmbeddedPorts>): void {
  writePrivate(file, JSON.stringify({ ...readPorts(file), ...ports }));
}

function readPorts(file: string): Partial<EmbeddedPorts> {
  try {
    return JSON.parse(readPrivate(file) ?? '{}') as Partial<EmbeddedPorts>;
  } catch {
    return {}; // unreadable: any port will do
  }
}
