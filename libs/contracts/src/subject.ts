/**
 * NATS subjects: one shape with fixed positions, so that a subject can be read by position.
 *
 *     plexus . <kind> . <tenant> . <domain> . <name> . v<N> . <key…>
 */

export const SUBJECT_PREFIX = 'plexus';

export const SUBJECT_KINDS = ['in', 'evt', 'cmd', 'rpc', 'rt', 'log', 'dlq'] as const;
/** What a subject carries: foreign event, fact, work, question, live frame, internal log, parked message. */
export type SubjectKind = (typeof SUBJECT_KINDS)[number];

/** The tenant token of messages that belong to no tenant. */
export const NO_TENANT = '_';

const PLAIN_TOKEN = /^[a-z0-9][a-z0-9_-]*$/;
const ESCAPE_MARK = 'x--';
const MAX_SUBJECT_LENGTH = 1024;

/** Parts of a parsed subject; `key` holds the decoded key tokens (empty for most `rpc` subjects). */
export interface ParsedSubject {
  readonly kind: SubjectKind;
  readonly tenant: string;
  readonly domain: string;
  readonly name: string;
  readonly version: number;
  readonly key: readonly string[];
}

/** Thrown when a subject or one of its parts cannot be built or read; the bad value is quoted. */
export class SubjectError extends Error {
  override readonly name = 'SubjectError';
}

/**
 * Turns any string into one subject token, reversibly. Strings that already are tokens stay as they are; others become
 * `x--` followed by the string in which `[a-z0-9-]` stand for themselves, other ASCII is `_hh` and the rest `_uhhhh` per UTF-16 unit.
 */
export function encodeToken(id: string): string {
  if (PLAIN_TOKEN.test(id) && !id.startsWith(ESCAPE_MARK)) return id;
  let escaped = ESCAPE_MARK;
  for (let index = 0; index < id.length; index += 1) {
    const character = id.charAt(index);
    if (/[a-z0-9-]/.test(character)) escaped += character;
    else {
      const unit = id.charCodeAt(index);
      escaped += unit < 0x80 ? `_${unit.toString(16).padStart(2, '0')}` : `_u${unit.toString(16).padStart(4, '0')}`;
    }
  }
  return escaped;
}

/** Reverses {@link encodeToken}. Throws {@link SubjectError} for a token that `encodeToken` never produces. */
export function decodeToken(token: string): string {
  if (!token.startsWith(ESCAPE_MARK)) {
    if (!PLAIN_TOKEN.test(token)) throw new SubjectError(`not a subject token: ${JSON.stringify(token)}`);
    return token;
  }
  const body = token.slice(ESCAPE_MARK.length);
  const decoded = body.replace(/_u([0-9a-f]{4})|_([0-9a-f]{2})/g, (_match, wide?: string, narrow?: string) =>
    String.fromCharCode(Number.parseInt(wide ?? narrow ?? '', 16)),
  );
  if (encodeToken(decoded) !== token) throw new SubjectError(`not a subject token: ${JSON.stringify(token)}`);
  return decoded;
}

const TENANT = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** True for a legal tenant id; the token `_` (no tenant) is not a tenant id. */
export function isTenantId(value: string): boolean {
  return TENANT.test(value);
}

function tenantToken(tenant: string): string {
  if (tenant !== NO_TENANT && !TENANT.test(tenant)) throw new SubjectError(`not a tenant id: ${JSON.stringify(tenant)}`);
  return tenant;
}

function nameToken(part: string, value: string): string {
  if (!PLAIN_TOKEN.test(value)) throw new SubjectError(`not a legal ${part}: ${JSON.stringify(value)}`);
  return value;
}

/** Builds a subject; key parts are encoded, every other part must already be a legal token. */
export function buildSubject(parts: {
  readonly kind: SubjectKind;
  readonly tenant: string;
  readonly domain: string;
  readonly name: string;
  readonly version: number;
  readonly key?: readonly string[];
}): string {
  if (!Number.isInteger(parts.version) || parts.version < 1) throw new SubjectError(`not a version: ${parts.version}`);
  const head = [SUBJECT_PREFIX, parts.kind, tenantToken(parts.tenant), nameToken('domain', parts.domain), nameToken('name', parts.name), `v${parts.version}`];
  const subject = [...head, ...(parts.key ?? []).map(keyToken)].join('.');
  if (subject.length > MAX_SUBJECT_LENGTH) throw new SubjectError(`subject of ${subject.length} characters; at most ${MAX_SUBJECT_LENGTH} are allowed`);
  return subject;
}

/** `_` as a key part means "everybody" (push log) and stays as it is. */
function keyToken(id: string): string {
  return id === NO_TENANT ? NO_TENANT : encodeToken(id);
}

/** Reads a subject by position. Throws {@link SubjectError} when it is not one of ours. */
export function parseSubject(subject: string): ParsedSubject {
  const [prefix, kind, tenant, domain, name, version, ...key] = subject.split('.');
  if (prefix !== SUBJECT_PREFIX || version === undefined || !/^v[1-9][0-9]*$/.test(version)) {
    throw new SubjectError(`not a Plexus subject: ${JSON.stringify(subject)}`);
  }
  if (!(SUBJECT_KINDS as readonly string[]).includes(kind as string)) throw new SubjectError(`unknown kind in ${JSON.stringify(subject)}`);
  return {
    kind: kind as SubjectKind,
    tenant: tenantToken(tenant as string),
    domain: nameToken('domain', domain as string),
    name: nameToken('name', name as string),
    version: Number(version.slice(1)),
    key: key.map((token) => (token === NO_TENANT ? NO_TENANT : decodeToken(token))),
  };
}
