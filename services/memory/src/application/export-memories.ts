import { errors, fittingLines } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import type { Caller } from '../domain/access.js';
import { archiveLine } from '../domain/archive.js';
import { decodeCursor, encodeCursor } from '../domain/list-cursor.js';
import type { MemoryArchive } from './archive-ports.js';
import { requireReadable, type Whose } from './extent.js';

export interface ExportPage {
  readonly lines: readonly string[];
  readonly asOf: Date;
  readonly nextCursor?: string;
}

/** Hands out everything of a user or scope, page by page: the caller makes a file of it, this service holds one page at a time. */
export class ExportMemories {
  constructor(
    private readonly archive: MemoryArchive,
    private readonly clock: Clock,
  ) {}

  /** One page in the order of ids. All pages show the memories as they were when the first one was asked for. */
  async execute(caller: Caller, request: Whose & { readonly limit: number; readonly cursor?: string }): Promise<ExportPage> {
    const extent = requireReadable(caller, request);
    const now = new Date(this.clock.now());
    const position = request.cursor === undefined ? { createdAt: now.getTime(), id: '' } : decodeCursor(request.cursor);
    if (position === undefined) {
      throw errors.create('INVALID_REQUEST', { details: { issues: [{ path: 'cursor', message: 'is not a cursor of an export' }] } });
    }
    const asOf = new Date(position.createdAt);
    const found = await this.archive.page(caller.tenant, extent, { now, asOf }, position.id, request.limit + 1);
    const lines = fittingLines(found.slice(0, request.limit).map(archiveLine));
    const last = found[lines.length - 1];
    if (last === undefined || lines.length === found.length) return { lines, asOf };
    return { lines, asOf, nextCursor: encodeCursor({ createdAt: asOf.getTime(), id: last.id }) };
  }
}
