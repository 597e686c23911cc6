import { defineInbound, type InboundContract, plexusError, type Severity } from '@plexus/contracts';
import { z } from 'zod';

/** An event as an integrator states it. */
export interface OutgoingEvent<D = Record<string, unknown>> {
  /** Identifier that the event is about: the last token of the subject. Any text; it is encoded. */
  readonly key: string | readonly string[];
  readonly data: D;
  /** Unique together with the source; the same id again is the same event. Default: a new ULID. */
  readonly id?: string;
  /** CloudEvents type. Default: `<source>.<name>`. */
  readonly type?: string;
  readonly severity?: Severity;
  /** Events with the same key within a policy's window are one. */
  readonly dedupKey?: string;
  readonly groupKey?: string;
  /** `resolved` ends what `firing` of the same dedupKey began. */
  readonly state?: 'firing' | 'resolved';
  /** RFC 3339; nobody is told after it. */
  readonly expiresAt?: string;
  /** RFC 3339; when it happened. Default: now. */
  readonly time?: string;
}

const SHAPE = /^[a-z0-9][a-z0-9_-]*$/;
const anything = z.looseObject({});

/**
 * The contract of a foreign event that Plexus has no contract for: any data, one key token. Throws INVALID_REQUEST when the name is not a
 * subject token (`contact-updated`, or `contact-updated.v2` for its second major version).
 */
export function foreignContract(source: string, name: string, type: string | undefined): InboundContract {
  const [token = '', version = 'v1', extra] = name.split('.');
  if (!SHAPE.test(token) || !/^v[1-9][0-9]{0,5}$/.test(version) || extra !== undefined) {
    throw plexusError('INVALID_REQUEST', {
      message: `${JSON.stringify(name)} is not the name of an event: lower-case letters, digits, - and _, and at most a version, for example contact-updated.v2.`,
      details: { name },
    });
  }
  const contract = defineInbound({
    domain: source,
    name: token,
    version: Number(version.slice(1)),
    key: ['key'],
    summary: `Published by ${source}.`,
    data: anything,
    examples: [{}],
  });
  return { ...contract, type: type ?? `${source}.${token}` };
}

/** CloudEvents extension attributes of an event. */
export function extensionsOf(event: OutgoingEvent<unknown>): Record<string, string> {
  const { severity, dedupKey, groupKey, state, expiresAt } = event;
  const all = { severity, dedupkey: dedupKey, groupkey: groupKey, eventstate: state, expiresat: expiresAt };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
