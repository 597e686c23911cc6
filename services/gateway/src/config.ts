import { LIMITS } from '@plexus/vm-protocol';
import { z } from 'zod';

const whole = (minimum: number, maximum: number) => z.coerce.number().int().min(minimum).max(maximum);
const list = z.string().transform((value) =>
  value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
);

/** Settings of the gateway; every one is an environment variable. Times in ms, sizes in bytes. */
export const gatewayConfig = z.object({
  GATEWAY_HOST: z.string().min(1).default('127.0.0.1').describe('Address of the public listener.'),
  GATEWAY_PORT: whole(0, 65_535).default(18_789).describe('Port of the public listener (WebSocket and HTTP); 0: any free one.'),

  GATEWAY_TOKEN: z.string().min(1).optional().describe('Shared token. Whoever has it is GATEWAY_TOKEN_USER with any operator scope.'),
  GATEWAY_TOKEN_FILE: z.string().min(1).optional().describe('File with the shared token; wins over GATEWAY_TOKEN.'),
  GATEWAY_TOKEN_TENANT: z.string().min(1).default('default').describe('Tenant of the shared token.'),
  GATEWAY_TOKEN_USER: z.string().min(1).max(256).default('me').describe('User of the shared token.'),
  GATEWAY_ALLOWED_ORIGINS: list
    .default([])
    .describe('Origins of pages that may connect and read HTTP answers (CORS) beside our own, separated by commas; * allows all.'),

  CONSOLE_ENABLED: z
    .enum(['true', 'false', '1', '0'])
    .default('true')
    .transform((text) => text === 'true' || text === '1')
    .describe('Serves the console at /, and at every address that is nobody else’s to people who read HTML.'),
  CONSOLE_DIR: z.string().min(1).optional().describe('Folder of the built console; without it / says how to build one.'),

  GATEWAY_HANDSHAKE_MS: whole(100, 120_000).default(15_000).describe('A socket without connect is closed after this.'),
  GATEWAY_TICK_MS: whole(100, 600_000).default(15_000).describe('Interval of the tick event; inbox heads are compared as often.'),
  GATEWAY_PING_MS: whole(100, 600_000).default(25_000).describe('Interval of WebSocket pings; a peer that did not answer the last one is dropped.'),
  GATEWAY_MAX_UNAUTHENTICATED: whole(1, 100_000).default(32).describe('Sockets of one address that have not said hello yet; more get 503.'),
  GATEWAY_MAX_USER_CONNECTIONS: whole(0, 1_000)
    .default(10)
    .describe('Connections of one user in the whole mesh; more are refused (4029). Loopback is exempt. 0: no limit.'),
  GATEWAY_MAX_TENANT_CONNECTIONS: whole(0, 10_000_000)
    .default(0)
    .describe('Connections of one tenant in the whole mesh, counted every few seconds. 0: no limit.'),
  GATEWAY_MESSAGES_PER_SECOND: whole(1, 1_000_000)
    .default(100)
    .describe('Requests of one client connection per second, on average; more are answered RATE_LIMITED. Loopback is exempt.'),
  GATEWAY_MESSAGE_BURST: whole(1, 1_000_000).default(500).describe('Requests of one client connection at once.'),
  GATEWAY_USER_REQUESTS_PER_SECOND: whole(0, 1_000_000)
    .default(300)
    .describe(
      'Requests of one user per second on one gateway, by whatever connections and over HTTP, on average; five seconds’ worth at once. More are answered RATE_LIMITED. Loopback is exempt. 0: no limit.',
    ),
  GATEWAY_USER_BYTES_PER_SECOND: whole(0, 1_000_000_000).default(16_777_216).describe('The same in bytes of requests.'),
  GATEWAY_TENANT_REQUESTS_PER_SECOND: whole(0, 10_000_000).default(0).describe('The same for all users of one tenant together. 0: no limit.'),
  GATEWAY_TENANT_BYTES_PER_SECOND: whole(0, 10_000_000_000).default(0).describe('The same for all users of one tenant together, in bytes. 0: no limit.'),
  GATEWAY_TRUSTED_PROXIES: list.default([]).describe('Addresses or networks whose X-Forwarded-For is believed, separated by commas.'),
  GATEWAY_MAX_PAYLOAD_BYTES: whole(65_536, 268_435_456).default(26_214_400).describe('Largest frame of a client after its hello (64 KiB before).'),
  GATEWAY_MAX_BUFFERED_BYTES: whole(65_536, 268_435_456)
    .default(4_194_304)
    .describe('What may wait to be sent to one client; beyond it droppable events are dropped and others end the connection (1008).'),
  GATEWAY_MAX_REQUESTS: whole(1, 10_000).default(64).describe('Requests of one client connection that may run at once; more are answered UNAVAILABLE.'),
  GATEWAY_BODY_LIMIT_BYTES: whole(1_024, 67_108_864).default(1_048_576).describe('Largest HTTP request body.'),
  GATEWAY_HTTP_USER_PER_SECOND: whole(1, 1_000_000)
    .default(50)
    .describe('HTTP requests of one user per second on one gateway, on average; more get 429. limits.requestsPerMinute of a tenant wins. Loopback is exempt.'),
  GATEWAY_HTTP_USER_BURST: whole(1, 1_000_000).default(200).describe('HTTP requests of one user at once.'),
  GATEWAY_HTTP_ADDRESS_PER_SECOND: whole(1, 1_000_000)
    .default(200)
    .describe('HTTP requests of one address per second on one gateway, on average, whoever sends them; more get 429. Loopback is exempt.'),
  GATEWAY_HTTP_ADDRESS_BURST: whole(1, 1_000_000).default(1_000).describe('HTTP requests of one address at once.'),
  GATEWAY_PRIVATE_HOSTS: z
    .string()
    .default('')
    .describe('Hosts of private addresses from which keys of issuers may be read, separated by commas; * allows all.'),
  GATEWAY_PLUGINS: list
    .default([])
    .describe(
      'Modules with HTTP handlers, separated by commas, in the order in which they are asked: npm packages, or files by their path. Their code runs in the gateway.',
    ),
  GATEWAY_PLUGIN_TIMEOUT_MS: whole(10, 600_000).default(30_000).describe('A request to plugins that is not answered by then gets 504.'),
  GATEWAY_REPLAY_EVENTS: whole(0, 1_000_000)
    .default(5_000)
    .describe('Session events read back at start, so that runs in flight are shown whole to clients that reconnect.'),
  GATEWAY_EXPIRY_GRACE_MS: whole(0, 600_000)
    .default(25_000)
    .describe('A connection or event stream whose token has expired is closed after this; time to come back with a new one.'),
  GATEWAY_DISCONNECT_GRACE_MS: whole(0, 3_600_000)
    .default(5_000)
    .describe('A run that nobody watches any more is cancelled after this, unless its message said on_client_disconnect: continue.'),
  GATEWAY_SHUTDOWN_SPREAD_MS: whole(0, 120_000).default(0).describe('Asks clients to come back spread over this time after a restart.'),

  GATEWAY_VM_AUTH_MS: whole(100, 120_000).default(10_000).describe('A VM must authenticate within this (close 4008).'),
  GATEWAY_VM_FRAME_BYTES: whole(65_536, 268_435_456)
    .default(LIMITS.frameBytes)
    .describe('Largest frame of a VM (close 1009; 64 KiB before it has authenticated).'),
  GATEWAY_VM_FRAMES_PER_SECOND: whole(1, 1_000_000).default(LIMITS.framesPerSecond).describe('Frames of one VM per second, on average (close 4029).'),
  GATEWAY_VM_FRAME_BURST: whole(1, 1_000_000).default(LIMITS.frameBurst).describe('Frames of one VM at once.'),
  GATEWAY_VM_BEAT_MS: whole(50, 5_000).default(1_000).describe('Heartbeats of VMs are collected for this long before they go to the scheduler.'),
});
export type GatewayConfig = z.output<typeof gatewayConfig>;
