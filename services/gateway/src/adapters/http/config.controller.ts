import { Body, Controller, Get, Headers, HttpCode, Inject, Patch, Post, Put, Query, Res } from '@nestjs/common';
import type { Bucket } from '@plexus/bus';
import { BUCKETS, configContracts as config, plexusError, type Principal, SCOPES } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import { dropParts, loadParts, storeParts } from '@plexus/service-kit';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { Caller, requireScope } from './caller.js';
import { Describe } from './describe.js';
import { HTTP_SERVICES, type HttpServices } from './http-services.js';
import { defined, queryNumber, readInput } from './read-input.js';

/** Larger texts travel in parts. */
const INLINE_BYTES = 256 * 1024;
const ETAG = /^"([0-9]{1,16})-([0-9a-f]{64})"$/;

const GetQuery = z.object({ revision: queryNumber(1, Number.MAX_SAFE_INTEGER).optional() });
const HistoryQuery = z.object({ limit: queryNumber(1, 50).optional() });
const WriteQuery = z.object({ comment: z.string().max(500).optional() });
const Document = z.record(z.string(), z.unknown());
const CheckBody = z.union([z.object({ patch: Document }).strict(), z.object({ document: Document }).strict(), z.object({ text: z.string() }).strict()]);
const DiffBody = z.object({
  from: z.number().int().min(1).optional(),
  to: z.number().int().min(1).optional(),
  document: Document.optional(),
  text: z.string().optional(),
});
const RollbackBody = z.object({ revision: z.number().int().min(1), comment: z.string().max(500).optional() });

const JSON5 = ['application/json5'];

type Base = { readonly baseRevision?: number; readonly baseHash?: string; readonly force?: boolean };

/**
 * The tenant's configuration over HTTP. The ETag names revision and hash; writes say with If-Match what they are based on (`*`: whatever
 * is there) and get 409 when it has changed, 422 with every issue when the result would be invalid.
 */
@Controller('v1/config')
export class ConfigController {
  constructor(@Inject(HTTP_SERVICES) private readonly services: HttpServices) {}

  /** The document as it was written: JSON with the text inside, or with `Accept: application/json5` the text alone. */
  @Get()
  @Describe({ rpc: config.getConfig, scope: SCOPES.read, query: GetQuery })
  async get(
    @Query() query: unknown,
    @Headers() headers: Record<string, string | undefined>,
    @Caller() principal: Principal,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    requireScope(principal, SCOPES.read);
    const { revision } = readInput(GetQuery, query);
    const { stored, ...found } = await this.services.mesh.call(config.getConfig, principal.tenant, defined({ revision }), { principal });
    const text = stored === undefined ? found.text : Buffer.from(await loadParts(await this.parts(), stored)).toString('utf8');
    const etag = etagOf(found);
    void reply.header('etag', etag).header('cache-control', 'private, no-cache');
    if (headers['if-none-match'] === etag) void reply.status(304).send();
    else if (headers.accept?.includes('application/json5')) void reply.type('application/json5; charset=utf-8').send(text);
    else void reply.send({ ...found, text });
  }

  /** Replaces the whole document: a JSON body, or any JSON5 text as `application/json5`. */
  @Put()
  @Describe({ rpc: config.applyConfig, scope: SCOPES.admin, query: WriteQuery, body: Document, bodyTypes: JSON5, headers: ['If-Match'] })
  async apply(
    @Body() body: unknown,
    @Query() query: unknown,
    @Headers('if-match') ifMatch: string | undefined,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    const base = baseOf(ifMatch);
    const { comment } = readInput(WriteQuery, query);
    const text = typeof body === 'string' ? body : JSON.stringify(readInput(Document, body));
    const written = await this.sending(principal.tenant, text, (content) =>
      this.services.mesh.call(config.applyConfig, principal.tenant, defined({ ...content, ...base, comment }), { principal }),
    );
    void reply.header('etag', etagOf(written));
    return written;
  }

  /** Merges a patch (RFC 7396). */
  @Patch()
  @Describe({ rpc: config.patchConfig, scope: SCOPES.admin, query: WriteQuery, body: Document, headers: ['If-Match'] })
  async patch(
    @Body() body: unknown,
    @Query() query: unknown,
    @Headers('if-match') ifMatch: string | undefined,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    const { baseHash } = baseOf(ifMatch);
    if (baseHash === undefined) throw plexusError('INVALID_REQUEST', { message: 'A patch needs If-Match with the ETag of the document that it was made for.' });
    const { comment } = readInput(WriteQuery, query);
    const patch = readInput(Document, body);
    const written = await this.services.mesh.call(config.patchConfig, principal.tenant, defined({ patch, baseHash, comment }), { principal });
    void reply.header('etag', etagOf(written));
    return written;
  }

  /** Says what a write would do: `{document}`, `{text}` (JSON5) or `{patch}`, or a JSON5 text as body. */
  @Post('check')
  @Describe({ rpc: config.checkConfig, scope: SCOPES.read, body: CheckBody, bodyTypes: JSON5, idempotency: 'none' })
  @HttpCode(200)
  check(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    const input = typeof body === 'string' ? { text: body } : readInput(CheckBody, body);
    const call = (content: object) => this.services.mesh.call(config.checkConfig, principal.tenant, content, { principal });
    if ('patch' in input) return call({ patch: input.patch });
    return this.sending(principal.tenant, 'text' in input ? input.text : JSON.stringify(input.document), call);
  }

  @Post('diff')
  @Describe({ rpc: config.diffConfig, scope: SCOPES.read, body: DiffBody, bodyTypes: JSON5, idempotency: 'none' })
  @HttpCode(200)
  diff(@Body() body: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    const {
      document,
      text = document && JSON.stringify(document),
      from,
      to,
    } = typeof body === 'string' ? ({ text: body } as z.infer<typeof DiffBody>) : readInput(DiffBody, body);
    const call = (content: object) => this.services.mesh.call(config.diffConfig, principal.tenant, defined({ from, to, ...content }), { principal });
    return text === undefined ? call({}) : this.sending(principal.tenant, text, call);
  }

  @Post('rollback')
  @Describe({ rpc: config.rollbackConfig, scope: SCOPES.admin, body: RollbackBody, headers: ['If-Match'] })
  @HttpCode(200)
  async rollback(
    @Body() body: unknown,
    @Headers('if-match') ifMatch: string | undefined,
    @Caller() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<unknown> {
    requireScope(principal, SCOPES.admin);
    const { baseHash, baseRevision } = ifMatch === undefined ? ({} as Base) : baseOf(ifMatch);
    const input = readInput(RollbackBody, body);
    const written = await this.services.mesh.call(config.rollbackConfig, principal.tenant, defined({ ...input, baseHash, baseRevision }), { principal });
    void reply.header('etag', etagOf(written));
    return written;
  }

  @Get('history')
  @Describe({ rpc: config.configHistory, scope: SCOPES.read, query: HistoryQuery })
  history(@Query() query: unknown, @Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(config.configHistory, principal.tenant, defined(readInput(HistoryQuery, query)), { principal });
  }

  @Get('status')
  @Describe({ rpc: config.configStatus, scope: SCOPES.read })
  status(@Caller() principal: Principal): Promise<unknown> {
    requireScope(principal, SCOPES.read);
    return this.services.mesh.call(config.configStatus, principal.tenant, {}, { principal });
  }

  /** Sends a text with the call, or uploads it first and takes it away afterwards. */
  private async sending<T>(tenant: string, text: string, call: (content: { text: string } | { stored: config.StoredText }) => Promise<T>): Promise<T> {
    const bytes = Buffer.from(text);
    if (bytes.length <= INLINE_BYTES) return call({ text });
    const parts = await this.parts();
    const stored = await storeParts(parts, `${tenant}.upload.${ulid()}`, bytes);
    try {
      return await call({ stored });
    } finally {
      // What cannot be removed now is swept by routing ten minutes later.
      void dropParts(parts, stored).catch(() => undefined);
    }
  }

  private parts(): Promise<Bucket> {
    return this.services.bus.kv(BUCKETS.configParts);
  }
}

function etagOf({ revision, hash }: { readonly revision: number; readonly hash: string }): string {
  return `"${revision}-${hash}"`;
}

/** What If-Match says. Throws INVALID_REQUEST when it is missing or none of ours. */
function baseOf(ifMatch: string | undefined): Base {
  const value = ifMatch?.trim();
  if (value === '*') return { force: true };
  const match = ETAG.exec(value ?? '');
  if (match === null) {
    throw plexusError('INVALID_REQUEST', {
      message: 'Send If-Match with the ETag of the document that this is based on, or `*` to replace whatever is there.',
    });
  }
  // A tenant that configured nothing has no revision to compare; its hash says the same.
  const [, revision, hash] = match as unknown as [string, string, string];
  return { baseHash: hash, baseRevision: Number(revision) };
}
