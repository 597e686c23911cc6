import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import fastify, { type FastifyInstance } from 'fastify';
import { addConsolePage } from './console-page.js';

describe('the console at the gateway', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'plexus-console-'));
  let server: FastifyInstance;
  const get = (url: string, headers: Record<string, string> = {}) => server.inject({ method: 'GET', url, headers });

  beforeAll(async () => {
    mkdirSync(path.join(folder, 'assets'));
    writeFileSync(path.join(folder, 'index.html'), '<title>Plexus</title>');
    writeFileSync(path.join(folder, 'assets/index-a1.js'), 'export {};');
    writeFileSync(path.join(folder, 'assets/index-a1.js.gz'), gzipSync('export {};'));
    server = fastify();
    addConsolePage(server, { directory: folder });
    server.get('/v1/known', async () => ({ ok: true }));
    await server.ready();
  });
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('serves the page at / and at every address that a person opens, with a policy that allows our files only', async () => {
    for (const [url, headers] of [['/', {}] as const, ['/sessions/agent%3Amain', { accept: 'text/html' }] as const]) {
      const answer = await get(url, headers);
      expect([answer.statusCode, answer.body]).toEqual([200, '<title>Plexus</title>']);
      expect(answer.headers['content-security-policy']).toContain("script-src 'self'");
      expect(answer.headers['content-security-policy']).not.toMatch(/unsafe/);
      // Blobs are for pictures, and for nothing that runs.
      expect(String(answer.headers['content-security-policy']).match(/[a-z-]+ [^;]*blob:/g)).toEqual(["img-src 'self' data: blob:"]);
      expect(answer.headers).toMatchObject({ 'cache-control': 'no-cache', 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
    }
  });

  it('keeps files whose name changes with their content for ever, and sends the form that the browser reads', async () => {
    const answer = await get('/assets/index-a1.js', { 'accept-encoding': 'gzip, br' });
    expect(answer.headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'content-encoding': 'gzip',
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'Accept-Encoding',
    });
    const plain = await get('/assets/index-a1.js');
    expect([plain.body, plain.headers['content-encoding']]).toEqual(['export {};', undefined]);
    expect(plain.headers.etag).not.toBe(answer.headers.etag);
  });

  it('answers 304 while the page is the same, and the new one after a build', async () => {
    const { etag } = (await get('/')).headers as { etag: string };
    expect((await get('/', { 'if-none-match': etag })).statusCode).toBe(304);
    const index = path.join(folder, 'index.html');
    writeFileSync(index, '<title>Plexus 2</title>');
    const later = new Date(Date.now() + 60_000);
    utimesSync(index, later, later);
    expect((await get('/', { 'if-none-match': etag })).body).toBe('<title>Plexus 2</title>');
    writeFileSync(index, '<title>Plexus</title>');
  });

  it('answers HEAD without a body', async () => {
    const answer = await server.inject({ method: 'HEAD', url: '/' });
    expect([answer.statusCode, answer.body]).toEqual([200, '']);
  });

  it('leaves alone what is not its own', async () => {
    for (const [method, url] of [
      ['POST', '/'],
      ['GET', '/v1/nothing'],
      ['GET', '/nothing'],
      ['GET', '/assets/missing.js'],
      ['GET', '/assets/../../etc/passwd'],
      ['GET', '/%2e%2e/secret.txt'],
    ] as const) {
      const answer = await server.inject({ method, url });
      expect([url, answer.statusCode, answer.headers['content-security-policy']]).toEqual([url, 404, undefined]);
    }
    expect((await get('/v1/known', { accept: 'text/html' })).json()).toEqual({ ok: true });
  });

  it('says how to build one where there is none', async () => {
    const bare = fastify();
    addConsolePage(bare, { directory: undefined });
    const answer = await bare.inject({ method: 'GET', url: '/' });
    expect([answer.statusCode, answer.headers['cache-control']]).toEqual([404, 'no-store']);
    expect(answer.body).toContain('npm run build');
    await bare.close();
  });
});
