import { type ParsedSubject, parseSubject, SubjectError } from '@plexus/contracts';

/** By what a message of a person is known. */
export interface PersonTraits {
  readonly tenant: string;
  readonly user: string;
  /** Every incarnation of the person's sessions. */
  readonly sessionIds: ReadonlySet<string>;
  /** Keys of sessions that nobody else in the tenant has: `agent:main:main` of two people are two sessions. */
  readonly sessionKeys: ReadonlySet<string>;
  readonly sendIds: ReadonlySet<string>;
  /** The person's own names in channels; without a channel: on every one. */
  readonly identities: readonly { readonly channel?: string | undefined; readonly id: string }[];
}

/** A dead letter as it stands in the stream. */
export interface Letter {
  /** `plexus.dlq.<tenant>.<domain>.<consumer>.v1.<key…>`: domain and key are those of the message that was parked. */
  readonly subject: string;
  /** Undefined when the bytes are not JSON: that may be why it was parked. */
  readonly body: unknown;
}

type Fields = Readonly<Record<string, unknown>>;

/** Requests for erasure and their receipts: they name the person and nothing else, and who asks for an erasure must see that one is stuck. */
const KEPT_DOMAIN = 'user';
const OWNER_FIELDS = ['owner', 'user', 'userId'] as const;

/**
 * True when a message is a person's: by the key of its subject, or by what its body says of owner, session, send or sender. That it mentions the person in a text is
 * not enough: it is somebody else's then.
 */
export function isLetterOf(person: PersonTraits, { subject, body }: Letter): boolean {
  const parsed = read(subject);
  if (parsed === undefined || parsed.tenant !== person.tenant || parsed.domain === KEPT_DOMAIN) return false;
  const { domain, name, key } = parsed;
  if (isKeyOf(person, domain, key)) return true;
  const envelope = fieldsOf(body);
  if (envelope === undefined) return false;
  // Our own envelope keeps it in `data`; what has no envelope may be why it was parked.
  const data = fieldsOf(envelope.data);
  const channel = domain === 'channel' ? name.replace(/^channel-/, '') : domain;
  return isBodyOf(person, channel, envelope) || (data !== undefined && isBodyOf(person, channel, data));
}

/** Undefined for a subject that is none of ours: one such message must not keep an erasure from ending. */
function read(subject: string): ParsedSubject | undefined {
  try {
    return parseSubject(subject);
  } catch (error) {
    if (error instanceof SubjectError) return undefined;
    throw error;
  }
}

function isKeyOf({ user, sessionIds }: PersonTraits, domain: string, key: readonly string[]): boolean {
  const [first, second] = key;
  if (first === undefined) return false;
  if (domain === 'session' || domain === 'run') return sessionIds.has(first);
  // The log and the deliveries of push: partition, user. A single part is a number in a stream.
  if (domain === 'push') return key.length === 2 && second === user;
  return domain === 'memory' && first === `user:${user}`;
}

function isBodyOf(person: PersonTraits, channel: string, fields: Fields): boolean {
  const owners = OWNER_FIELDS.map((name) => fields[name]).filter((value) => typeof value === 'string');
  if (owners.includes(person.user)) return true;
  if (has(person.sessionIds, fields.sessionId) || has(person.sendIds, fields.sendId)) return true;
  // Whoever is named counts for more than a key, which is unique for one owner only.
  if (owners.length === 0 && has(person.sessionKeys, fields.sessionKey)) return true;
  const scope = fieldsOf(fields.scope);
  if (scope?.kind === 'user' && scope.id === person.user) return true;
  if (isIdentity(person, channel, fieldsOf(fields.sender)?.id)) return true;
  return fields.chatKind === 'dm' && isIdentity(person, channel, fields.to);
}

function isIdentity({ identities }: PersonTraits, channel: string, id: unknown): boolean {
  if (typeof id !== 'string') return false;
  return identities.some((one) => one.id.toLowerCase() === id.toLowerCase() && (one.channel ?? channel) === channel);
}

function has(known: ReadonlySet<string>, value: unknown): boolean {
  return typeof value === 'string' && known.has(value);
}

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}
