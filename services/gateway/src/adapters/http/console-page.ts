import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CONSOLE_HEADERS, type ConsoleTarget, consoleTarget, encodingFor } from '../../domain/console-request.js';

export interface ConsolePageOptions {
  /** The built page; undefined: none was named. */
  readonly directory: string | undefined;
}

interface StoredFile {
  readonly content: Buffer;
  readonly etag: string;
  readonly modifiedMs: number;
  /** By content encoding; `identity` is the file itself. */
  readonly forms: Readonly<Partial<Record<'br' | 'gzip', Buffer>>>;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.json': 'application/json; charset=utf-8',
  '.woff2': 'font/woff2',
};
const IMMUTABLE = 'public, max-age=31536000, immutable';
/** Asked for every time, and answered 304 while it is the same. */
const REVALIDATED = 'no-cache';
const MAX_FILES = 500;
const NOT_BUILT =
  '<!doctype html><html lang="en"><meta charset="utf-8"><title>Plexus</title><h1>The console is not built</h1>' +
  '<p>Build it with <code>npm run build</code> and load this page again. In an installation of your own, <code>CONSOLE_DIR</code> names the folder ' +
  'with the built page, and <code>CONSOLE_ENABLED=false</code> turns it off.</p><p>The API is there all the same: <a href="/v1/openapi.json">/v1/openapi.json</a>.</p></html>\n';

/** Serves the console to whatever neither a route nor a plugin takes: files of the built page, and the page itself for every address of its own. */
export function addConsolePage(fastify: FastifyInstance, { directory }: ConsolePageOptions): void {
  const files = new Map<string, StoredFile>();
  fastify.addHook('onRequest', async (request, reply) => {
    if (!request.is404) return undefined;
    const target = consoleTarget(request.method, request.url.split('?', 1)[0] ?? '', request.headers.accept);
    if (target === undefined) return undefined;
    const name = target.kind === 'page' ? 'index.html' : target.file;
    const file = directory === undefined ? undefined : await readStored(files, directory, name);
    if (file !== undefined) return sendFile(request, reply, target, name, file);
    // Files that are not there are as unknown as any other address.
    if (target.kind === 'file') return undefined;
    return reply.status(404).headers(CONSOLE_HEADERS).header('cache-control', 'no-store').type('text/html; charset=utf-8').send(NOT_BUILT);
  });
}

function sendFile(request: FastifyRequest, reply: FastifyReply, target: ConsoleTarget, name: string, file: StoredFile): FastifyReply {
  const encoding = encodingFor(request.headers['accept-encoding'], Object.keys(file.forms));
  const etag = encoding === undefined ? file.etag : file.etag.replace(/"$/, `-${encoding}"`);
  void reply.headers(CONSOLE_HEADERS).header('etag', etag).header('vary', 'Accept-Encoding');
  void reply.header('cache-control', target.kind === 'file' && target.hashed ? IMMUTABLE : REVALIDATED);
  if (request.headers['if-none-match']?.split(',').some((one) => one.trim() === etag) === true) return reply.status(304).send();
  if (encoding !== undefined) void reply.header('content-encoding', encoding);
  const body = (encoding === undefined ? undefined : file.forms[encoding]) ?? file.content;
  void reply.status(200).type(TYPES[path.extname(name)] ?? 'application/octet-stream');
  return request.method === 'HEAD' ? reply.header('content-length', String(body.length)).send() : reply.send(body);
}

/** A file with its compressed forms, from memory while it is the same on disk. `name` has passed {@link consoleTarget}. */
async function readStored(files: Map<string, StoredFile>, directory: string, name: string): Promise<StoredFile | undefined> {
  const place = path.join(directory, name);
  const modifiedMs = await modified(place);
  if (modifiedMs === undefined) return undefined;
  const known = files.get(name);
  if (known?.modifiedMs === modifiedMs) return known;
  const [content, br, gzip] = await Promise.all([readFile(place), readIfThere(`${place}.br`), readIfThere(`${place}.gz`)]);
  const etag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`;
  const file = { content, etag, modifiedMs, forms: { ...(br && { br }), ...(gzip && { gzip }) } };
  // Names of earlier builds.
  if (files.size >= MAX_FILES) files.clear();
  files.set(name, file);
  return file;
}

async function modified(place: string): Promise<number | undefined> {
  try {
    const found = await stat(place);
    return found.isFile() ? found.mtimeMs : undefined;
  } catch {
    // Not there, or gone with a new build this moment.
    return undefined;
  }
}

async function readIfThere(place: string): Promise<Buffer | undefined> {
  try {
    return await readFile(place);
  } catch {
    // Small files have no compressed form.
    return undefined;
  }
}
