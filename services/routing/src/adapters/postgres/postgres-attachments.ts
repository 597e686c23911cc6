import { type Database, type Queryable, withAdvisoryLock } from '@plexus/database';
import type { AttachmentStore } from '../../application/keep-attachments.js';
import type { Owner } from '../../domain/caller.js';
import type { AttachmentInfo } from '../../domain/run-request.js';

interface AttachmentRow {
  attachment_id: string;
  name: string;
  mime_type: string;
  bytes: number;
  sha256: string;
}

const INFO = 'a.attachment_id, a.name, a.mime_type, a.bytes, a.sha256';

const KNOWN = 'SELECT tenant = $2 AND uploader = $3 AND bytes = $4 AND sha256 = $5 AS same FROM attachments WHERE attachment_id = $1';

/** What no message named within the hour is as good as gone. */
const WEIGHT = `
  SELECT COALESCE(sum(bytes), 0)::float8 AS bytes FROM attachments
   WHERE tenant = $1 AND uploader = $2 AND (session_ref IS NOT NULL OR created_at > now() - interval '1 hour')`;

const BEGIN = `
  INSERT INTO attachments (attachment_id, tenant, uploader, name, mime_type, bytes, sha256) VALUES ($1, $2, $3, $4, $5, $6, $7)
  ON CONFLICT (attachment_id) DO NOTHING RETURNING attachment_id`;

const PART = `
  SELECT ${INFO}, p.data FROM sessions AS s JOIN attachments AS a ON a.session_ref = s.id JOIN attachment_parts AS p ON p.attachment_id = a.attachment_id
   WHERE s.tenant = $1 AND s.owner = $2 AND s.session_key = $3 AND a.attachment_id = $4 AND p.part = $5`;

/** Files in Postgres: erased with their session, backed up with everything else. */
export class PostgresAttachments implements AttachmentStore {
  constructor(private readonly database: Database) {}

  async begin(uploader: Owner, attachment: AttachmentInfo, bytesPerUser: number): Promise<'noted' | 'taken' | 'full'> {
    const known = await whatIsKnown(this.database, uploader, attachment);
    if (known !== undefined) return known;
    const { tenant, owner } = uploader;
    const { attachmentId, name, mimeType, bytes, sha256 } = attachment;
    // One after the other for each user: files that come at the same time would not see each other's weight.
    const turn = JSON.stringify(['plexus.routing.attachments', tenant, owner]);
    return this.database.transaction((tx) =>
      withAdvisoryLock(tx, turn, async () => {
        const knownNow = await whatIsKnown(tx, uploader, attachment);
        if (knownNow !== undefined) return knownNow;
        const [weight] = await tx.query<{ bytes: number }>('routing_attachments_weight', WEIGHT, [tenant, owner]);
        if ((weight?.bytes ?? 0) + bytes > bytesPerUser) return 'full';
        const noted = await tx.query('routing_begin_attachment', BEGIN, [attachmentId, tenant, owner, name, mimeType, bytes, sha256]);
        return noted.length === 1 ? 'noted' : 'taken';
      }),
    );
  }

  async discard({ tenant, owner }: Owner, attachmentId: string): Promise<void> {
    const text = 'DELETE FROM attachments WHERE attachment_id = $1 AND tenant = $2 AND uploader = $3 AND session_ref IS NULL';
    await this.database.query('routing_discard_attachment', text, [attachmentId, tenant, owner]);
  }

  async append(attachmentId: string, part: number, data: Uint8Array): Promise<number> {
    const insert = 'INSERT INTO attachment_parts (attachment_id, part, data) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING';
    await this.database.query('routing_attachment_part', insert, [attachmentId, part, Buffer.from(data)]);
    const sum = 'SELECT sum(octet_length(data))::int AS bytes FROM attachment_parts WHERE attachment_id = $1';
    return (await this.database.query<{ bytes: number }>('routing_attachment_stored', sum, [attachmentId]))[0]?.bytes ?? 0;
  }

  async bytes(attachmentId: string): Promise<Uint8Array> {
    const text = 'SELECT data FROM attachment_parts WHERE attachment_id = $1 ORDER BY part';
    return Buffer.concat((await this.database.query<{ data: Buffer }>('routing_attachment_bytes', text, [attachmentId])).map(({ data }) => data));
  }

  async find({ tenant, owner }: Owner, attachmentIds: readonly string[]): Promise<AttachmentInfo[]> {
    const text = `SELECT ${INFO} FROM attachments AS a WHERE a.tenant = $1 AND a.uploader = $2 AND a.attachment_id = ANY ($3::text[]) ORDER BY array_position($3::text[], a.attachment_id)`;
    return (await this.database.query<AttachmentRow>('routing_find_attachments', text, [tenant, owner, attachmentIds])).map(toInfo);
  }

  async part(
    { tenant, owner }: Owner,
    sessionKey: string,
    attachmentId: string,
    part: number,
  ): Promise<{ attachment: AttachmentInfo; data: Uint8Array } | undefined> {
    type Row = AttachmentRow & { data: Buffer };
    const [row] = await this.database.query<Row>('routing_read_attachment', PART, [tenant, owner, sessionKey, attachmentId, part]);
    return row && { attachment: toInfo(row), data: row.data };
  }
}

async function whatIsKnown(
  database: Queryable,
  { tenant, owner }: Owner,
  { attachmentId, bytes, sha256 }: AttachmentInfo,
): Promise<'noted' | 'taken' | undefined> {
  const [known] = await database.query<{ same: boolean }>('routing_known_attachment', KNOWN, [attachmentId, tenant, owner, bytes, sha256]);
  return known && (known.same ? 'noted' : 'taken');
}

function toInfo(row: AttachmentRow): AttachmentInfo {
  return { attachmentId: row.attachment_id, name: row.name, mimeType: row.mime_type, bytes: row.bytes, sha256: row.sha256 };
}
