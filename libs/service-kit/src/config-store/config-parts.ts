import { createHash } from 'node:crypto';
import type { Bucket } from '@plexus/bus';
import { type configContracts, plexusError } from '@plexus/contracts';

/** Size of one part. A message carries up to 1 MiB; smaller parts keep the server's memory even. */
const PART_BYTES = 256 * 1024;
/** Larger documents are refused: 256 parts would be possible, but nobody reads 8 MiB of settings. */
export const MAX_CONFIG_BYTES = 8 * 1024 * 1024;

/** Stores bytes in parts under `prefix` and says where they lie. Rejects with PAYLOAD_TOO_LARGE. */
export async function storeParts(bucket: Bucket, prefix: string, bytes: Uint8Array): Promise<configContracts.StoredText> {
  if (bytes.length === 0 || bytes.length > MAX_CONFIG_BYTES) {
    throw plexusError('PAYLOAD_TOO_LARGE', { message: `A configuration may have 1 to ${MAX_CONFIG_BYTES} bytes, this one has ${bytes.length}.` });
  }
  const parts = Math.ceil(bytes.length / PART_BYTES);
  for (let part = 0; part < parts; part += 1) {
    await bucket.put(`${prefix}.${part}`, bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES));
  }
  return { prefix, parts, bytes: bytes.length, sha256: sha256(bytes) };
}

/** Reads what {@link storeParts} stored. Rejects with NOT_FOUND when a part is missing or the bytes are not those that were stored. */
export async function loadParts(bucket: Bucket, stored: configContracts.StoredText): Promise<Uint8Array> {
  if (stored.bytes > MAX_CONFIG_BYTES || stored.parts > Math.ceil(MAX_CONFIG_BYTES / PART_BYTES)) throw damaged(stored, 'it is larger than allowed');
  const parts: Uint8Array[] = [];
  for (let part = 0; part < stored.parts; part += 1) {
    const entry = await bucket.get(`${stored.prefix}.${part}`);
    if (entry === undefined) throw damaged(stored, `part ${part} is missing`);
    parts.push(entry.value);
  }
  const bytes = Buffer.concat(parts);
  if (bytes.length !== stored.bytes || sha256(bytes) !== stored.sha256) throw damaged(stored, 'the bytes are others');
  return bytes;
}

/** Removes the parts; those that are gone already are no failure. */
export async function dropParts(bucket: Bucket, stored: Pick<configContracts.StoredText, 'prefix' | 'parts'>): Promise<void> {
  for (let part = 0; part < stored.parts; part += 1) await bucket.delete(`${stored.prefix}.${part}`);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function damaged(stored: configContracts.StoredText, reason: string): Error {
  return plexusError('NOT_FOUND', { message: `The stored document cannot be read: ${reason}.`, details: { prefix: stored.prefix } });
}
