import { hash } from 'node:crypto';
import { buildSubject, CloudEvent, type CloudEventOf, type Contract, NO_TENANT, type ParsedSubject, plexusError, SubjectError } from '@plexus/contracts';
import { PlexusError, ulid } from '@plexus/kernel';
import { traceFields } from './instrumentation.js';
import { MAX_MESSAGE_BYTES, parseBody, RESERVED_HEADER_BYTES } from './json-body.js';
import type { EncodedEvent, EventInput, StoredContract } from './publication.js';
import { validatorFor } from './schema-validator.js';

/** Attributes of the envelope that the contract or the subject decides; extensions must not replace them. */
const RESERVED_ATTRIBUTES = new Set(['specversion', 'id', 'source', 'type', 'time', 'datacontenttype', 'tenantid', 'data', 'data_base64']);
const ATTRIBUTE_NAME = /^[a-z0-9]{1,20}$/;

const cloudEvent = validatorFor(CloudEvent);

/**
 * Builds the CloudEvent (structured JSON mode) of a contract. Throws INVALID_REQUEST with all issues when data, key, attributes or
 * extensions do not fit, PAYLOAD_TOO_LARGE when a parked copy would not fit into a message.
 */
export function encodeEvent<C extends StoredContract>(contract: C, input: EventInput<C>, service: string): EncodedEvent {
  const data: unknown = validatorFor(contract.data).strict(input.data);
  const subject = subjectOf(contract, input);
  const id = input.id ?? ulid();
  const source = input.source ?? `/plexus/${service}`;
  const time = input.time ?? isoNow();
  const extensions = input.extensions ? extensionsOf(input.extensions) : undefined;
  // What we made ourselves needs no check.
  if (extensions || input.id !== undefined || input.source !== undefined || input.time !== undefined) {
    cloudEvent.strict({ specversion: '1.0', id, source, type: contract.type, time, ...extensions });
  }
  // Written out instead of stringified as a whole: the envelope costs as much as the data otherwise.
  const body = Buffer.from(
    `{"specversion":"1.0","id":${quoted(id, input.id)},"source":${quoted(source, input.source)},"type":"${contract.type}","time":"${time}",` +
      `"datacontenttype":"application/json"${input.tenant === NO_TENANT ? '' : `,"tenantid":"${input.tenant}"`}` +
      `${extensions ? attributes(extensions) : ''},"data":${JSON.stringify(data)}}`,
  );
  const maxBytes = MAX_MESSAGE_BYTES - RESERVED_HEADER_BYTES;
  if (body.length > maxBytes) throw plexusError('PAYLOAD_TOO_LARGE', { details: { bytes: body.length, maxBytes } });
  return { subject, msgId: messageId(input, source, id), headers: traceFields(), body };
}

/** Ids and sources of our own hold nothing that JSON escapes. */
function quoted(value: string, given: string | undefined): string {
  return given === undefined ? `"${value}"` : JSON.stringify(value);
}

let lastMs = Number.NaN;
let lastIso = '';

/** Many events are published within one millisecond, and formatting a date is not cheap. */
function isoNow(): string {
  const now = Date.now();
  if (now !== lastMs) {
    lastMs = now;
    lastIso = new Date(now).toISOString();
  }
  return lastIso;
}

/** Members of a JSON object, each with a comma in front. */
function attributes(extensions: Extensions): string {
  return Object.entries(extensions)
    .map(([name, value]) => `,"${name}":${JSON.stringify(value)}`)
    .join('');
}

function messageId(input: EventInput<StoredContract>, source: string, id: string): string | undefined {
  if (input.msgId === null) return undefined;
  return input.msgId ?? hash('sha256', `${input.tenant}\n${source}\n${id}`, 'base64url');
}

function subjectOf(contract: StoredContract, input: EventInput<StoredContract>): string {
  try {
    const subject = contract.subject(input.tenant, ...input.key);
    if (input.sourceToken === undefined || contract.kind !== 'in') return subject;
    const { name, version } = contract;
    return buildSubject({ kind: 'in', tenant: input.tenant, domain: input.sourceToken, name, version, key: input.key });
  } catch (cause) {
    if (!(cause instanceof SubjectError || cause instanceof TypeError)) throw cause;
    throw plexusError('INVALID_REQUEST', { message: 'The tenant or key does not fit the contract.', details: { problem: cause.message }, cause });
  }
}

type Extensions = Readonly<Record<string, string | number | boolean>>;

function extensionsOf(extensions: Extensions): Extensions {
  for (const name of Object.keys(extensions)) {
    if (!ATTRIBUTE_NAME.test(name) || RESERVED_ATTRIBUTES.has(name)) {
      throw plexusError('INVALID_REQUEST', { message: 'That is not the name of an extension attribute.', details: { extension: name } });
    }
  }
  return extensions;
}

/**
 * Reads a stored message as a CloudEvent. Throws INVALID_EVENT: not JSON, not CloudEvents 1.0, or a `tenantid` that disagrees with the
 * subject, which alone says whose event it is.
 */
export function decodeEvent(body: Uint8Array, subject: ParsedSubject): CloudEventOf {
  const value = parseBody(body, 'INVALID_EVENT');
  let event: CloudEventOf;
  try {
    event = cloudEvent.tolerant(value);
  } catch (cause) {
    if (!PlexusError.isPlexusError(cause)) throw cause;
    throw plexusError('INVALID_EVENT', cause.details ? { details: cause.details, cause } : { cause });
  }
  if (event.tenantid !== undefined && event.tenantid !== subject.tenant) {
    throw plexusError('INVALID_EVENT', { message: 'The tenantid of the event and the tenant of its subject differ.', details: { subject: subject.tenant } });
  }
  return event;
}

/** The contract among `contracts` that a subject belongs to; foreign events match by name, whatever their source token is. */
export function contractOf(subject: ParsedSubject, contracts: readonly Contract[]): Contract | undefined {
  return contracts.find(
    ({ kind, domain, name, version }) =>
      kind === subject.kind && name === subject.name && version === subject.version && (kind === 'in' || domain === subject.domain),
  );
}
