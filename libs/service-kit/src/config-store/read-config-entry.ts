import type { Bucket } from '@plexus/bus';
import { err, ok, parseJson, type Result } from '@plexus/kernel';
import { type ConfigEntry, decodeConfigEntry, type EntryProblem } from './config-entry.js';
import { loadParts, MAX_CONFIG_BYTES } from './config-parts.js';

/** Reads an entry of PLEXUS_CONFIG, with its parts when it is large. A text that is none is an error value; rejects only when the parts cannot be read. */
export async function readConfigEntry(value: Uint8Array, parts: Bucket): Promise<Result<ConfigEntry, EntryProblem>> {
  const decoded = decodeConfigEntry(value);
  if (!decoded.ok) return decoded;
  if (decoded.value.kind === 'entry') return ok(decoded.value.entry);
  const { record } = decoded.value;
  const bytes = await loadParts(parts, record.storedDocument as NonNullable<typeof record.storedDocument>);
  const json = parseJson(bytes, { maxBytes: MAX_CONFIG_BYTES });
  return json.ok ? ok({ document: json.value, record }) : err({ code: json.error.code, message: json.error.message });
}
