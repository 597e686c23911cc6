import { z } from 'zod';

/** Challenge, connect and hello-ok: the handshake of wire v4. */

export const ConnectChallenge = z.object({ nonce: z.string().trim().min(1), ts: z.number().int().optional() });
export type ConnectChallenge = z.output<typeof ConnectChallenge>;

const text = (max: number) => z.string().max(max);
const names = (maxItems: number) => z.array(text(128)).max(maxItems);

/** `client.id` and `client.mode` are open lists: new kinds of clients keep coming. */
export const ClientInfo = z.object({
  id: text(128).min(1),
  version: text(128).min(1),
  platform: text(128).min(1),
  mode: text(64).min(1),
  displayName: text(256).optional(),
  deviceFamily: text(128).optional(),
  modelIdentifier: text(128).optional(),
  timeZone: text(128).optional(),
  instanceId: text(256).optional(),
});
export type ClientInfo = z.output<typeof ClientInfo>;

/** What a client says first. A device identity may be sent; it is not used as proof of anything. */
export const ConnectParams = z.object({
  minProtocol: z.number().int().min(1),
  maxProtocol: z.number().int().min(1),
  client: ClientInfo,
  role: text(64).optional(),
  scopes: names(64).optional(),
  caps: names(64).optional(),
  commands: names(512).optional(),
  permissions: z.record(z.string().max(128), z.boolean()).optional(),
  pathEnv: text(16_384).optional(),
  auth: z.object({ token: text(16_384).optional(), password: text(16_384).optional() }).optional(),
  device: z.object({ id: text(256).optional() }).optional(),
  locale: text(64).optional(),
  userAgent: text(512).optional(),
});
export type ConnectParams = z.output<typeof ConnectParams>;
export type ConnectInput = z.input<typeof ConnectParams>;

const positive = z.number().int().min(1);

/** The full hello-ok payload. Clients read more than the schema of the protocol requires, so everything is always sent. */
export const HelloOk = z.object({
  type: z.literal('hello-ok'),
  protocol: z.number().int(),
  server: z.object({ version: z.string(), connId: z.string() }),
  features: z.object({ methods: z.array(z.string()), events: z.array(z.string()), capabilities: z.array(z.string()).optional() }),
  snapshot: z.object({
    presence: z.array(z.unknown()),
    health: z.record(z.string(), z.unknown()),
    stateVersion: z.object({ presence: z.number().int(), health: z.number().int() }),
    uptimeMs: z.number().int().min(0),
    sessionDefaults: z.object({ defaultAgentId: z.string(), mainKey: z.string(), mainSessionKey: z.string(), scope: z.string().optional() }).optional(),
    authMode: z.string().optional(),
  }),
  auth: z.object({ role: z.string(), scopes: z.array(z.string()) }),
  policy: z.object({
    maxPayload: positive,
    maxBufferedBytes: positive,
    tickIntervalMs: positive,
    attachments: z.object({ maxBytes: positive, maxImageBytes: positive }).optional(),
  }),
});
export type HelloOk = z.output<typeof HelloOk>;

/** What a client needs of hello-ok; a server that sends less is still understood. */
export const HelloOkLoose = z.looseObject({
  protocol: z.number().int().optional(),
  features: z.looseObject({ methods: z.array(z.string()).optional(), capabilities: z.array(z.string()).optional() }).optional(),
  auth: z.looseObject({ scopes: z.array(z.string()).optional() }).optional(),
  policy: z
    .looseObject({
      tickIntervalMs: positive.optional(),
      maxPayload: positive.optional(),
      attachments: z.looseObject({ maxBytes: positive, maxImageBytes: positive }).optional(),
    })
    .optional(),
});
export type HelloOkLoose = z.output<typeof HelloOkLoose>;
