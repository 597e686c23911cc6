import { z } from 'zod';
import { IdempotencyKey, Instant, UserId } from './common.js';
import { defineRpc } from './define.js';
import { LabelMatcher, Preference, PreferenceMatch, QuietHours } from './push-log.contracts.js';

/** Preferences, quiet hours, silences, grants, contacts: what people say about how they want to be reached. */

const domain = 'push';
const Id = z.string().min(1).max(64);
const limit = z.number().int().min(1).max(200).default(100);
const cursor = z.string().min(1).max(512).optional();

const Whose = z.enum(['me', 'tenant']).default('me').describe('`tenant`: for everybody of the tenant; changes need scope operator.admin.');

export const Preferences = z.object({
  preferences: z.array(Preference),
  quietHours: QuietHours.optional(),
  version: z.number().int().min(0).describe('Counts changes of preferences and quiet hours; 0: never said anything.'),
  updatedAt: Instant.optional(),
});
export type Preferences = z.infer<typeof Preferences>;

export const getPreferences = defineRpc({
  domain,
  name: 'get-preferences',
  version: 1,
  summary: "The caller's preferences and quiet hours, and the defaults of the tenant. A user's own word goes before that of the tenant.",
  data: z.object({}),
  response: z.object({ own: Preferences, tenant: Preferences }),
  idempotent: true,
  examples: [{}],
});

export const setPreferences = defineRpc({
  domain,
  name: 'set-preferences',
  version: 1,
  summary: 'Says what is wanted, on which channel. The same match and channel again replace the earlier sentence; with `replace` only what is put remains.',
  data: z.object({
    for: Whose,
    put: z
      .array(
        z.object({
          id: Id.optional().describe('Absent: made from match and channel.'),
          match: PreferenceMatch,
          channel: z.string().min(1).max(64).default('*'),
          value: z.enum(['on', 'off']),
        }),
      )
      .max(200)
      .default([]),
    remove: z.array(Id).max(200).default([]),
    replace: z.boolean().default(false),
    baseVersion: z.number().int().min(0).optional().describe('Refused with CONFLICT when it has changed since.'),
  }),
  response: z.object({ preferences: Preferences, changed: z.boolean() }),
  idempotent: true,
  errors: ['CONFLICT', 'QUOTA_EXCEEDED', 'MISSING_SCOPE'],
  examples: [{ put: [{ match: { types: ['com.acme.import.*'] }, channel: 'email', value: 'off' }] }],
});

export const setQuietHours = defineRpc({
  domain,
  name: 'set-quiet-hours',
  version: 1,
  summary: 'Sets the local time in which nothing below `bypassPriority` interrupts, in an IANA time zone; null takes it away.',
  data: z.object({ for: Whose, quietHours: QuietHours.nullable(), baseVersion: z.number().int().min(0).optional() }),
  response: z.object({ preferences: Preferences, changed: z.boolean() }),
  idempotent: true,
  errors: ['CONFLICT', 'MISSING_SCOPE'],
  examples: [{ quietHours: { tz: 'Europe/Berlin', start: '22:00', end: '07:00' } }],
});

export const Silence = z.object({
  id: z.string(),
  for: z.enum(['me', 'tenant']),
  matchers: z.array(LabelMatcher),
  from: Instant,
  to: Instant,
  includeCritical: z.boolean(),
  reason: z.string(),
  createdBy: z.string(),
  createdAt: Instant,
  state: z.enum(['pending', 'active', 'expired']),
  endedBy: z.string().optional().describe('Who ended it before its time.'),
  version: z.number().int().min(1).optional().describe('Counts its changes.'),
});
export type Silence = z.infer<typeof Silence>;

export const createSilence = defineRpc({
  domain,
  name: 'create-silence',
  version: 1,
  summary: 'Keeps events from interrupting for a while: those for which all matchers hold, in `[from, to)`. At most 90 days; who made it and why is kept.',
  data: z.object({
    for: Whose,
    matchers: z.array(LabelMatcher).min(1).max(20),
    from: Instant.optional().describe('Absent: now.'),
    to: Instant.optional(),
    seconds: z.number().int().min(1).max(7_776_000).optional().describe('Instead of `to`: how long from `from` on.'),
    includeCritical: z.boolean().default(false),
    reason: z.string().trim().min(1).max(500),
    idempotencyKey: IdempotencyKey.optional().describe('The same key again answers with the silence that it made.'),
  }),
  response: z.object({ silence: Silence, created: z.boolean() }),
  errors: ['CONFLICT', 'QUOTA_EXCEEDED', 'MISSING_SCOPE'],
  examples: [{ matchers: [{ label: 'case', op: '=', value: 'case-7' }], seconds: 3_600, reason: 'planned work' }],
});

export const listSilences = defineRpc({
  domain,
  name: 'list-silences',
  version: 1,
  summary: "The caller's own silences, or those of the tenant; the last to end first.",
  data: z.object({ for: Whose, expired: z.boolean().default(false).describe('Also those that are over.'), limit, cursor }),
  response: z.object({ silences: z.array(Silence), nextCursor: z.string().optional() }),
  idempotent: true,
  examples: [{}],
});

export const updateSilence = defineRpc({
  domain,
  name: 'update-silence',
  version: 1,
  summary:
    'Changes a silence that is not over yet: what it covers, until when, and why; what is absent stays, as do its beginning and who made it. `seconds` count from now each time it is said.',
  data: z.object({
    id: Id,
    baseVersion: z.number().int().min(1).optional().describe('Refused with CONFLICT when it has changed since.'),
    matchers: z.array(LabelMatcher).min(1).max(20).optional(),
    to: Instant.optional(),
    seconds: z.number().int().min(1).max(7_776_000).optional().describe('Instead of `to`: how long from now on.'),
    includeCritical: z.boolean().optional(),
    reason: z.string().trim().min(1).max(500).optional(),
  }),
  response: z.object({ silence: Silence, changed: z.boolean() }),
  idempotent: true,
  errors: ['NOT_FOUND', 'CONFLICT'],
  examples: [{ id: 'sil_01jd2x3y4z5a6b7c8d9e0f1g2h', to: '2099-01-01T00:00:00Z' }],
});

export const expireSilence = defineRpc({
  domain,
  name: 'expire-silence',
  version: 1,
  summary: 'Ends a silence now; it stays in the list. One that is over already is left as it is.',
  data: z.object({ id: Id }),
  response: z.object({ silence: Silence, changed: z.boolean() }),
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [{ id: 'sil_01jd2x3y4z5a6b7c8d9e0f1g2h' }],
});

export const removeSilence = defineRpc({
  domain,
  name: 'remove-silence',
  version: 1,
  summary: 'Removes a silence as if it had never been made; events that it held back stay as they were decided.',
  data: z.object({ id: Id }),
  response: z.object({ removed: z.boolean() }),
  idempotent: true,
  examples: [{ id: 'sil_01jd2x3y4z5a6b7c8d9e0f1g2h' }],
});

const GrantScope = { scopeKind: z.enum(['case', 'topic']), scopeRef: z.string().min(1).max(256) } as const;

export const AccessGrant = z.object({
  user: UserId,
  ...GrantScope,
  granted: z.boolean(),
  until: Instant.optional(),
  saidAt: Instant,
  saidBy: z.string().describe('Source of the event, or who called.'),
});
export type AccessGrant = z.infer<typeof AccessGrant>;

export const grantAccess = defineRpc({
  domain,
  name: 'grant-access',
  version: 1,
  summary: 'Lets a user see a case or topic. The first grant of a scope restricts it to holders of grants. Role service, or scope operator.admin.',
  data: z.object({ user: UserId, ...GrantScope, until: Instant.optional() }),
  response: z.object({ grant: AccessGrant, restricted: z.boolean(), changed: z.boolean() }),
  idempotent: true,
  errors: ['MISSING_SCOPE'],
  examples: [{ user: 'me', scopeKind: 'case', scopeRef: 'case-7' }],
});

export const revokeAccess = defineRpc({
  domain,
  name: 'revoke-access',
  version: 1,
  summary: 'A user may no longer see a case or topic; what is parked for them is dropped. The scope stays restricted, also without its last holder.',
  data: z.object({ user: UserId, ...GrantScope }),
  response: z.object({ grant: AccessGrant, restricted: z.boolean(), changed: z.boolean() }),
  idempotent: true,
  errors: ['MISSING_SCOPE'],
  examples: [{ user: 'me', scopeKind: 'case', scopeRef: 'case-7' }],
});

export const restrictScope = defineRpc({
  domain,
  name: 'restrict-scope',
  version: 1,
  summary: 'Restricts a case or topic to holders of grants, or opens it to everybody of the tenant again; that word stands against later grants.',
  data: z.object({ ...GrantScope, restricted: z.boolean() }),
  response: z.object({ restricted: z.boolean(), changed: z.boolean() }),
  idempotent: true,
  errors: ['MISSING_SCOPE'],
  examples: [{ scopeKind: 'case', scopeRef: 'case-7', restricted: false }],
});

export const listAccess = defineRpc({
  domain,
  name: 'list-access',
  version: 1,
  summary: 'Grants and revocations, by scope and user. Without operator.admin only one’s own.',
  data: z.object({ user: UserId.optional(), scopeKind: GrantScope.scopeKind.optional(), scopeRef: z.string().max(256).optional(), limit, cursor }),
  response: z.object({
    grants: z.array(AccessGrant),
    restricted: z.array(z.object(GrantScope)).describe('Those scopes of this page that only holders of grants may see.'),
    nextCursor: z.string().optional(),
  }),
  idempotent: true,
  examples: [{ scopeKind: 'case', scopeRef: 'case-7' }],
});

export const ContactChannel = z.enum(['email', 'webhook', 'webpush']);

/** A subscription of a browser, as `PushSubscription.toJSON()` gives it. */
export const WebPushSubscription = z.object({
  endpoint: z.string().min(1).max(2_048),
  keys: z.object({
    p256dh: z.string().regex(/^[A-Za-z0-9_-]{86,88}=?$/, { error: 'must be 65 bytes in base64url' }),
    auth: z.string().regex(/^[A-Za-z0-9_-]{22}(==)?$/, { error: 'must be 16 bytes in base64url' }),
  }),
});

export const Contact = z.object({
  id: z.string(),
  channel: ContactChannel,
  address: z.string().describe('An e-mail address, a URL, or the endpoint of a browser.'),
  label: z.string().optional(),
  verified: z.boolean().describe('Nothing but the code is sent to an address that is not verified.'),
  verifiedAt: Instant.optional(),
  createdAt: Instant,
  disabledReason: z.string().optional().describe('Why nothing is sent there any more, such as an endpoint that is gone.'),
});
export type Contact = z.infer<typeof Contact>;

export const addContact = defineRpc({
  domain,
  name: 'add-contact',
  version: 1,
  summary:
    'Adds an address of the caller. E-mail addresses and webhooks are sent a code and used once it came back; a browser that subscribed for itself is used at once. The same address again answers with the contact that is there.',
  data: z.object({
    channel: ContactChannel,
    address: z.string().min(1).max(2_048).optional().describe('Of e-mail and webhook.'),
    subscription: WebPushSubscription.optional().describe('Of webpush.'),
    label: z.string().trim().max(100).optional(),
  }),
  response: z.object({ contact: Contact, created: z.boolean(), codeSent: z.boolean() }),
  idempotent: true,
  timeoutMs: 30_000,
  errors: ['QUOTA_EXCEEDED', 'RATE_LIMITED', 'CHANNEL_NOT_CONFIGURED', 'DELIVERY_FAILED'],
  examples: [{ channel: 'email', address: 'me@example.org' }],
});

export const sendContactCode = defineRpc({
  domain,
  name: 'send-contact-code',
  version: 1,
  summary: 'Sends a new code to an address that is not verified yet; the earlier one is void. At most one a minute and five a day for each address.',
  data: z.object({ id: Id }),
  response: z.object({ codeSent: z.boolean(), expiresAt: Instant.optional() }),
  timeoutMs: 30_000,
  errors: ['NOT_FOUND', 'RATE_LIMITED', 'CHANNEL_NOT_CONFIGURED', 'DELIVERY_FAILED'],
  examples: [{ id: 'cnt_01jd2x3y4z5a6b7c8d9e0f1g2h' }],
});

export const verifyContact = defineRpc({
  domain,
  name: 'verify-contact',
  version: 1,
  summary: 'Proves an address by the code that was sent to it: within 15 minutes, in at most five attempts.',
  data: z.object({ id: Id, code: z.string().trim().min(1).max(32) }),
  response: z.object({ contact: Contact }),
  idempotent: true,
  errors: ['NOT_FOUND', 'INVALID_REQUEST', 'RATE_LIMITED'],
  examples: [{ id: 'cnt_01jd2x3y4z5a6b7c8d9e0f1g2h', code: '48201937' }],
});

export const listContacts = defineRpc({
  domain,
  name: 'list-contacts',
  version: 1,
  summary: "The caller's addresses outside the inbox, oldest first.",
  data: z.object({ channel: ContactChannel.optional() }),
  response: z.object({
    contacts: z.array(Contact),
    webPushKey: z.string().optional().describe('What a browser subscribes with (VAPID public key). Absent: the tenant has no Web Push.'),
  }),
  idempotent: true,
  examples: [{}],
});

export const removeContact = defineRpc({
  domain,
  name: 'remove-contact',
  version: 1,
  summary: "Removes one of the caller's addresses.",
  data: z.object({ id: Id }),
  response: z.object({ removed: z.boolean() }),
  idempotent: true,
  examples: [{ id: 'cnt_01jd2x3y4z5a6b7c8d9e0f1g2h' }],
});
