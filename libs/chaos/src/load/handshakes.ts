import { GatewayClient, type SocketLike } from '@plexus/client-protocol';
import { WebSocket } from 'ws';
import type { ChaosMesh } from '../mesh/chaos-mesh.js';
import { mintToken } from '../mesh/tokens.js';

export interface Handshakes {
  readonly perSecond: number;
  /** CPU of all gateways for each. */
  readonly gatewayCpuMs: number;
}

const CONNECTIONS = 300;
const AT_ONCE = 16;
const TIMEOUT_MS = 60_000;

/** Connections from nothing to hello, each with a token of its own, as after a restart: so many at once until all of them are there. */
export async function measureHandshakes(mesh: ChaosMesh, gatewayCpuSeconds: () => number): Promise<Handshakes> {
  const tokens = Array.from({ length: CONNECTIONS }, (_, at) => mintToken(mesh.state.paths.signingKey, 'load', `h${at}`, ['operator.read']));
  const clients: GatewayClient[] = [];
  const cpuBefore = gatewayCpuSeconds();
  const began = performance.now();
  const connectNext = async (): Promise<void> => {
    for (let token = tokens.pop(); token !== undefined; token = tokens.pop()) {
      const client = new GatewayClient({ url: mesh.clientUrl, token, scopes: ['operator.read'], createSocket });
      clients.push(client);
      await client.connect({ timeoutMs: TIMEOUT_MS });
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, connectNext));
    const seconds = (performance.now() - began) / 1_000;
    return { perSecond: CONNECTIONS / seconds, gatewayCpuMs: ((gatewayCpuSeconds() - cpuBefore) / CONNECTIONS) * 1_000 };
  } finally {
    for (const client of clients) client.close();
  }
}

const createSocket = (url: string): SocketLike => new WebSocket(url, { perMessageDeflate: false }) as unknown as SocketLike;
