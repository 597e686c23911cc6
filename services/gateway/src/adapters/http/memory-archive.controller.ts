import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { Body, Controller, Get, HttpCode, Inject, Post, Query, Res } from '@nestjs/common';
import {
  ArchiveDigest,
  manifestLine,
  memoryArchiveContracts as archive,
  pagesOfLines,
  plexusError,
  type Principal,
  readManifestLine,
  SCOPES,
} from '@plexus/contracts';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { Caller, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { defined, readInput } from './read-input.js';
import { textLines } from './text-lines.js';

/** Lines of JSON, one memory each: what an export is and an import takes. */
export const NDJSON = 'application/x-ndjson';

/** More than any memory takes; what is too long for an import is refused by its owner, by name. */
const MAX_LINE = 1_048_576;

const Scope = z
  .string()
  .regex(/^(user|session|agent|shared):.{1,512}$/s, { error: 'must be <kind>:<id>, kind one of user, session, agent, shared' })
  .transform((text) => ({ kind: text.slice(0, text.indexOf(':')) as 'user' | 'session' | 'agent' | 'shared', id: text.slice(text.indexOf(':') + 1) }));
const Whose = z.object({ user: z.string().min(1).max(512).optional(), scope: Scope.optional() });
const PurgeBody = archive.purgeMemories.data;

/** Whole users and scopes over HTTP: a stream out, a stream in, and away for good. */
@Controller('v1/memory')
export class MemoryArchiveController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  /** Ends with its manifest; what was cut off has none and is refused by every import. */
  @Get('export')
  @Describe({ rpc: archive.exportMemories, scope: SCOPES.read, query: Whose, response: NDJSON })
  async export(@Query() query: unknown, @Caller() principal: Principal, @Res() reply: FastifyReply): Promise<void> {
    requireScope(principal, SCOPES.read);
    const whose = defined(readInput(Whose, query));
    const ask = (cursor?: string) =>
      this.services.mesh.call(archive.exportMemories, principal.tenant, { ...whose, ...(cursor === undefined ? {} : { cursor }) }, { principal });
    // The first page before the head: what is refused is refused with its status.
    const first = await ask();
    const disposition = 'attachment; filename="memories.ndjson"';
    await reply
      .header('content-type', NDJSON)
      .header('content-disposition', disposition)
      .send(Readable.from(exported(first, ask)));
  }

  @Post('import')
  @Describe({ rpc: archive.importMemories, scope: SCOPES.write, bodyTypes: [NDJSON], idempotency: 'none' })
  @HttpCode(200)
  async import(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    if (!(body instanceof Readable)) throw plexusError('INVALID_REQUEST', { message: `Send an export with content-type ${NDJSON}.` });
    const importId = randomUUID();
    const send = (data: object) => this.services.mesh.call(archive.importMemories, principal.tenant, { importId, from: 0, lines: [], ...data }, { principal });
    let manifest: archive.ArchiveManifest | undefined;
    const memories = async function* (): AsyncGenerator<string> {
      for await (const line of textLines(body, MAX_LINE)) {
        if (manifest !== undefined && line !== '')
          throw plexusError('INVALID_REQUEST', { message: 'The file goes on behind its manifest. Nothing was imported.' });
        manifest ??= readManifestLine(line);
        if (manifest === undefined) yield line;
      }
    };
    let lines = 0;
    for await (const page of pagesOfLines(memories())) {
      await send(page);
      lines = page.from + page.lines.length;
    }
    if (manifest === undefined)
      throw plexusError('INVALID_REQUEST', { message: 'The file has no manifest at its end: it is not whole. Nothing was imported.' });
    return send({ from: lines, manifest });
  }

  @Post('purge')
  @Describe({ rpc: archive.purgeMemories, scope: SCOPES.write, body: PurgeBody })
  @HttpCode(200)
  purge(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.write);
    return this.services.mesh.call(archive.purgeMemories, principal.tenant, readInput(PurgeBody, body), { principal });
  }

  @Post('receipts/check')
  @Describe({ rpc: archive.checkPurgeReceipt, scope: SCOPES.read, body: archive.checkPurgeReceipt.data, idempotency: 'none' })
  @HttpCode(200)
  check(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(archive.checkPurgeReceipt, principal.tenant, readInput(archive.checkPurgeReceipt.data, body), { principal });
  }
}

type Page = { readonly lines: readonly string[]; readonly asOf: string; readonly nextCursor?: string };

/** One page is held at a time; the next is asked for when the reader took this one. */
async function* exported(first: Page, ask: (cursor: string) => Promise<Page>): AsyncGenerator<string> {
  const digest = new ArchiveDigest();
  for (let page = first; ; page = await ask(page.nextCursor)) {
    for (const line of page.lines) digest.add(line);
    if (page.lines.length > 0) yield `${page.lines.join('\n')}\n`;
    if (page.nextCursor === undefined) break;
  }
  yield `${manifestLine(digest.manifest(first.asOf))}\n`;
}
