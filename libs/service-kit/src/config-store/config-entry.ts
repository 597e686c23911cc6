import { configContracts } from '@plexus/contracts';
import { err, ok, parseJson, type Result } from '@plexus/kernel';
import { z } from 'zod';
import { MAX_CONFIG_BYTES } from './config-parts.js';

/** Entries above this go to the parts bucket: sixty-four revisions of one tenant take 1 MiB of the configuration bucket, which all tenants share. */
const INLINE_BYTES = 16 * 1024;

/** Who wrote a revision, when, and what it changed. Kept in the entry itself: one compare-and-set writes both or neither. */
export const ConfigRecord = z.object({
  format: z.literal(1),
  kind: z.enum(['apply', 'patch', 'rollback']),
  hash: configContracts.ConfigHash,
  at: z.string(),
  by: z.string(),
  credentialId: z.string(),
  comment: z.string().optional(),
  changedPaths: z.array(z.string()),
  /** Size of the text as it was written. */
  bytes: z.number().int().min(0),
  /** Where the document lies as JSON, when it is large. */
  storedDocument: configContracts.StoredText.optional(),
  /** Where the text lies as it was written, when it is large and something else than the document as JSON. */
  storedSource: configContracts.StoredText.optional(),
});
export type ConfigRecord = z.infer<typeof ConfigRecord>;

/** One revision of a document, whole. */
export interface ConfigEntry {
  /** Plain JSON, without defaults. */
  readonly document: unknown;
  /** The text as it was written; absent when it is the document as JSON, or lies in parts (`record.storedSource`). */
  readonly source?: string;
  /** Absent for documents that were put into the bucket around the configuration service. */
  readonly record?: ConfigRecord;
}

const Envelope = z.object({ $plexus: ConfigRecord, document: z.unknown().optional(), source: z.string().optional() });

/** An entry as bytes; or, when it is large, what to store in parts first. */
export type EncodedEntry =
  | { readonly kind: 'inline'; readonly value: Uint8Array }
  | {
      readonly kind: 'parts';
      readonly document: Uint8Array;
      readonly source?: Uint8Array;
      withParts(document: configContracts.StoredText, source?: configContracts.StoredText): Uint8Array;
    };

export function encodeConfigEntry(entry: { readonly document: unknown; readonly source?: string | undefined; readonly record: ConfigRecord }): EncodedEntry {
  const { document, source, record } = entry;
  const value = Buffer.from(JSON.stringify({ $plexus: record, document, ...(source !== undefined && { source }) }));
  if (value.length <= INLINE_BYTES) return { kind: 'inline', value };
  return {
    kind: 'parts',
    document: Buffer.from(JSON.stringify(document)),
    ...(source !== undefined && { source: Buffer.from(source) }),
    withParts: (storedDocument, storedSource) =>
      Buffer.from(JSON.stringify({ $plexus: { ...record, storedDocument, ...(storedSource !== undefined && { storedSource }) } })),
  };
}

/** Why bytes are no entry. */
export interface EntryProblem {
  readonly code: string;
  readonly message: string;
}

/** The entry itself, or what is known of it while its document lies in parts. */
export type DecodedEntry = { readonly kind: 'entry'; readonly entry: ConfigEntry } | { readonly kind: 'parts'; readonly record: ConfigRecord };

/** Reads the bytes of an entry: ours, or a plain JSON document. Never throws. */
export function decodeConfigEntry(value: Uint8Array): Result<DecodedEntry, EntryProblem> {
  const json = parseJson(value, { maxBytes: MAX_CONFIG_BYTES });
  if (!json.ok) return err({ code: json.error.code, message: json.error.message });
  if (!isObject(json.value) || !Object.hasOwn(json.value, '$plexus')) return ok({ kind: 'entry', entry: plainEntry(json.value, value) });
  const envelope = Envelope.safeParse(json.value);
  if (!envelope.success) return err({ code: 'unknown_format', message: 'the entry was not written by a version that this one knows' });
  const { $plexus: record, document, source } = envelope.data;
  if (record.storedDocument !== undefined) return ok({ kind: 'parts', record });
  return ok({ kind: 'entry', entry: { document, record, ...(source !== undefined && { source }) } });
}

/** A document that somebody put there by hand keeps its bytes as well. */
function plainEntry(document: unknown, value: Uint8Array): ConfigEntry {
  const text = Buffer.from(value).toString('utf8');
  return { document, ...(text !== JSON.stringify(document) && { source: text }) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
