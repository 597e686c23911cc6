import type { ChannelProcess } from './channel-processes.js';
import { freePort, isPortFree } from './free-port.js';
import { readPrivate, writePrivate } from './private-file.js';

/** Ports of the embedded servers and of the adapters that platforms call, as of the last start, so that addresses noted elsewhere stay valid. */
export type EmbeddedPorts = { readonly [name in 'nats' | 'postgres' | ChannelProcess]: number };

/** The port that a server had last time if it is free, else any free one. */
export async function preferredPort(file: string, name: keyof EmbeddedPorts): Promise<number> {
  const last = readPorts(file)[name];
  return last !== undefined && (await isPortFree(last)) ? last : freePort();
}

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
