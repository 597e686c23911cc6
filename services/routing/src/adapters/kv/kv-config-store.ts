import { configHash } from '@plexus/agent-config';
import type { Bucket, BucketEntry, Bus } from '@plexus/bus';
import { BUCKETS, type configContracts, plexusError } from '@plexus/contracts';
import { type Clock, PlexusError, ulid } from '@plexus/kernel';
import {
  type ConfigEntry,
  type ConfigRecord,
  decodeConfigEntry,
  dropParts,
  encodeConfigEntry,
  loadParts,
  readConfigEntry,
  readConfigHistory,
  storeParts,
} from '@plexus/service-kit';
import type { ConfigRevisionInfo, ConfigStore, StoredConfig, WriteRecord } from '../../application/config-ports.js';

const STREAM = `KV_${BUCKETS.config.name}`;
/** Parts of writers that lost or died are removed after so long; a writer that is still at it is faster. */
const ABANDONED_MS = 10 * 60_000;
const SWEEP_EVERY_MS = 60_000;
/**
 * Bytes of large documents that one tenant's history may keep, so that no tenant fills the bucket that all share: older revisions beyond
 * it stay listed and cannot be read any more. The newest stays whatever its size.
 */
const KEPT_BYTES = 8 * 1024 * 1024;

/** What a revision that cannot be read counts as. */
const NOTHING = { document: {}, hash: configHash({}), text: '{}' };

/** Revisions in PLEXUS_CONFIG: the bucket's own history is the history of the configuration. Large documents lie in PLEXUS_CONFIG_PARTS. */
export class KvConfigStore implements ConfigStore {
  private readonly nextSweep = new Map<string, number>();

  constructor(
    private readonly bus: Bus,
    private readonly entries: Bucket,
    private readonly parts: Bucket,
    private readonly clock: Clock,
    private readonly keptBytes = KEPT_BYTES,
  ) {}

  async current(tenant: string): Promise<StoredConfig | undefined> {
    const entry = await this.entries.get(tenant);
    if (entry === undefined) return undefined;
    try {
      return await this.toStored(entry);
    } catch (err) {
      if (!PlexusError.isPlexusError(err) || err.code !== 'NOT_FOUND') throw err;
      // Its parts are lost for good. It must not keep anybody from writing a new one.
      this.bus.log.error({ err, tenant, revision: entry.revision }, 'the newest configuration cannot be read; a rollback or a new document replaces it');
      return { revision: entry.revision, ...NOTHING, at: new Date(this.clock.now()).toISOString(), by: 'unknown', isLost: true };
    }
  }

  async at(tenant: string, revision: number): Promise<StoredConfig | undefined> {
    const message = await this.bus.messageAt(STREAM, revision);
    // Revisions count over all tenants: another tenant's is none of this one's.
    if (message === undefined || message.subject !== subjectOf(tenant) || message.raw.length === 0) return undefined;
    return this.toStored({ value: message.raw, revision: message.seq }, new Date(message.time).toISOString());
  }

  async history(tenant: string, limit: number): Promise<ConfigRevisionInfo[]> {
    const revisions = await this.revisions(tenant);
    return revisions.slice(-limit).reverse();
  }

  async write(
    tenant: string,
    content: { readonly document: unknown; readonly text: string; readonly hash: string; readonly record: WriteRecord },
    base: number,
  ): Promise<number | undefined> {
    const { document, text, hash } = content;
    const { kind, by, credentialId, comment, changedPaths } = content.record;
    const record: ConfigRecord = {
      format: 1,
      kind,
      hash,
      at: new Date(this.clock.now()).toISOString(),
      by,
      credentialId,
      ...(comment !== undefined && { comment }),
      changedPaths: [...changedPaths],
      bytes: Buffer.byteLength(text),
    };
    const source = text === JSON.stringify(document) ? undefined : text;
    const encoded = encodeConfigEntry({ document, source, record });
    if (encoded.kind === 'inline') return this.put(tenant, encoded.value, base);
    const prefix = `${tenant}.${base}.${hash}.${ulid(this.clock.now())}`;
    const stored = await storeParts(this.parts, `${prefix}.d`, encoded.document);
    const storedSource = encoded.source === undefined ? undefined : await storeParts(this.parts, `${prefix}.s`, encoded.source);
    const revision = await this.put(tenant, encoded.withParts(stored, storedSource), base);
    // Large documents are what fills the bucket: the next sweep does not wait.
    this.nextSweep.delete(tenant);
    if (revision === undefined) for (const lost of [stored, storedSource]) if (lost !== undefined) await dropParts(this.parts, lost);
    return revision;
  }

  async load(tenant: string, stored: configContracts.StoredText): Promise<string> {
    if (!stored.prefix.startsWith(`${tenant}.`)) throw plexusError('TENANT_MISMATCH', { message: 'These parts belong to another tenant.' });
    return Buffer.from(await loadParts(this.parts, stored)).toString('utf8');
  }

  /** {@link sweep}, at most once a minute for each tenant, behind whoever wrote. */
  tidyUp(tenant: string): void {
    const now = this.clock.monotonic();
    if (now < (this.nextSweep.get(tenant) ?? 0)) return;
    this.nextSweep.set(tenant, now + SWEEP_EVERY_MS);
    this.sweep(tenant).catch((err: unknown) =>
      this.bus.log.warn({ err, tenant }, 'parts that are no longer needed could not be removed; tried again after the next write'),
    );
  }

  /** Removes parts that no kept revision of the tenant refers to, and those beyond its share. Returns how many. */
  async sweep(tenant: string): Promise<number> {
    const keys = await this.parts.keys(`${tenant}.>`);
    if (keys.length === 0) return 0;
    const kept = new Set<string>();
    const excess = new Set<string>();
    let bytes = 0;
    for (const [age, { record }] of (await this.records(tenant)).reverse().entries()) {
      const stored = [record?.storedDocument, record?.storedSource].filter((text) => text !== undefined);
      bytes += stored.reduce((sum, text) => sum + text.bytes, 0);
      const prefixes = age === 0 || bytes <= this.keptBytes ? kept : excess;
      for (const { prefix } of stored) prefixes.add(prefix);
    }
    let removed = 0;
    for (const key of keys) {
      const prefix = key.slice(0, key.lastIndexOf('.'));
      if (kept.has(prefix) || !(excess.has(prefix) || this.isAbandoned(tenant, prefix))) continue;
      if (await this.parts.delete(key)) removed += 1;
    }
    return removed;
  }

  private put(tenant: string, value: Uint8Array, base: number): Promise<number | undefined> {
    return base === 0 ? this.entries.create(tenant, value) : this.entries.update(tenant, value, base);
  }

  /** The ULID in a prefix says when its writer began: `<tenant>.upload.<ulid>`, `<tenant>.<base>.<hash>.<ulid>.<d|s>`. */
  private isAbandoned(tenant: string, prefix: string): boolean {
    const [first, second, third] = prefix.slice(tenant.length + 1).split('.');
    const token = first === 'upload' ? second : third;
    // What nobody of ours wrote is as good as abandoned.
    return token === undefined || !isUlid(token) || timeOfUlid(token) + ABANDONED_MS < this.clock.now();
  }

  private async toStored(entry: Pick<BucketEntry, 'value' | 'revision'>, at?: string): Promise<StoredConfig> {
    const read = await readConfigEntry(entry.value, this.parts);
    // Somebody put something else there by hand: it can be replaced, and counts as nothing.
    const { document, source, record }: ConfigEntry = read.ok ? read.value : { document: {} };
    return {
      revision: entry.revision,
      document,
      hash: record?.hash ?? configHash(document),
      text: record?.storedSource ?? (record?.storedDocument !== undefined ? record.storedDocument : (source ?? JSON.stringify(document))),
      at: record?.at ?? at ?? new Date(this.clock.now()).toISOString(),
      by: record?.by ?? 'unknown',
    };
  }

  private async revisions(tenant: string): Promise<ConfigRevisionInfo[]> {
    return (await this.records(tenant)).map(({ revision, time, bytes, record, document }) => {
      if (record !== undefined) {
        const { hash, at, by, credentialId, kind, comment, changedPaths } = record;
        return { revision, hash, at, by, credentialId, kind, ...(comment !== undefined && { comment }), changedPaths, bytes: record.bytes };
      }
      const external = { revision, at: new Date(time).toISOString(), by: 'unknown', changedPaths: [], bytes };
      return bytes === 0
        ? { ...external, kind: 'deleted' as const }
        : { ...external, kind: 'external' as const, ...(document !== undefined && { hash: configHash(document) }) };
    });
  }

  /** Every kept revision of one tenant, oldest first, without what lies in parts. */
  private async records(tenant: string): Promise<{ revision: number; time: number; bytes: number; record?: ConfigRecord; document?: unknown }[]> {
    const messages = await readConfigHistory(this.bus, tenant, this.clock);
    return messages.map(({ seq, time, raw }) => {
      const decoded = raw.length === 0 ? undefined : decodeConfigEntry(raw);
      const base = { revision: seq, time, bytes: raw.length };
      if (decoded?.ok !== true) return base;
      return decoded.value.kind === 'parts' ? { ...base, record: decoded.value.record } : { ...base, ...decoded.value.entry };
    });
  }
}

const subjectOf = (tenant: string): string => `$KV.${BUCKETS.config.name}.${tenant}`;

const CROCKFORD = '0123456789abcdefghjkmnpqrstvwxyz';

const isUlid = (text: string): boolean => text.length === 26 && [...text].every((character) => CROCKFORD.includes(character));

/** Milliseconds since the epoch. */
function timeOfUlid(text: string): number {
  return [...text.slice(0, 10)].reduce((time, character) => time * 32 + CROCKFORD.indexOf(character), 0);
}
