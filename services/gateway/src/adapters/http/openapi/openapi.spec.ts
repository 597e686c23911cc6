import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { z } from 'zod';
import { PluginChain } from '../../../application/plugins/plugin-chain.js';
import { HttpRates } from '../../../domain/request-rates.js';
import type { BearerCheck } from '../bearer-check.js';
import { createHttpApi } from '../http-api.js';
import { openApiDocument } from './document.js';
import { SchemaBook } from './schemas.js';

// biome-ignore lint/suspicious/noExplicitAny: tests look into a document of every shape
type Anything = any;

const nothing = () => undefined;
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
/** Whoever has a token may ask these. */
const ANY_CALLER = new Set(['post /v1/ws-tickets', 'get /v1/whoami']);
const WRITES = ['post', 'put', 'patch', 'delete'];

describe('the description of the HTTP API', () => {
  let app: NestFastifyApplication;
  let document: Anything;
  let etag: string;
  let url: string;
  const registered: string[] = [];

  beforeAll(async () => {
    const rule = { perSecond: 1, burst: 1 };
    const rates = new HttpRates({ user: rule, address: rule, requestsPerMinute: nothing }, () => 0);
    const bearer = { prove: () => Promise.reject(new Error('not asked')) } as unknown as BearerCheck;
    const api = await createHttpApi(
      { bearer, version: '1.2.3' } as never,
      {
        bodyLimitBytes: 1_000,
        trustedProxies: [],
        logger: { log: nothing, error: nothing, warn: nothing },
        edge: { allowedOrigins: [], rates },
        plugins: { chain: new PluginChain(log), timeoutMs: 1_000, bodyLimitBytes: 1_000 },
      },
      log,
    );
    app = api.app as NestFastifyApplication;
    app
      .getHttpAdapter()
      .getInstance()
      .addHook('onRoute', ({ method, url }) => {
        for (const one of [method].flat())
          if (one !== 'HEAD' && url.startsWith('/v1')) registered.push(`${one.toLowerCase()} ${url.replace(/:(\w+)/g, '{$1}')}`);
      });
    await app.listen(0, '127.0.0.1');
    url = `${await app.getUrl()}/v1/openapi.json`;
    const answer = await fetch(url);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
    etag = String(answer.headers.get('etag'));
    document = await answer.json();
  });
  afterAll(() => app?.close());

  const operations = (): [string, Anything][] =>
    Object.entries<Anything>(document.paths).flatMap(([path, item]) =>
      Object.entries<Anything>(item).map(([method, operation]): [string, Anything] => [`${method} ${path}`, operation]),
    );

  it('has every route under /v1 that is registered, and no other', () => {
    expect(registered.length).toBeGreaterThan(100);
    expect(
      operations()
        .map(([name]) => name)
        .sort(),
    ).toEqual([...registered].sort());
  });

  it('says of every route what it is, who may ask, what it answers and how it fails', () => {
    for (const [name, { operationId, summary, security, responses, requestBody }] of operations()) {
      expect([name, summary === operationId]).toEqual([name, false]);
      expect([name, Object.keys(responses)]).toEqual([name, expect.arrayContaining(['400', '401', '403', '429', 'default'])]);
      const success = Object.keys(responses).filter((status) => status.startsWith('2'));
      expect([name, success.map((status) => responses[status].content !== undefined)]).toEqual([name, [true]]);
      if (name !== 'get /v1/openapi.json')
        expect([name, security]).toEqual([name, [{ bearer: ANY_CALLER.has(name) ? [] : [expect.stringMatching(/^operator\./)] }]]);
      if (name.startsWith('get ')) expect([name, requestBody]).toEqual([name, undefined]);
    }
    const ids = operations().map(([, { operationId }]) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('is made of schemas that are valid, parameters that exist and references that lead somewhere', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const schemas: Anything[] = [];
    const look = (value: Anything, key = ''): void => {
      if (typeof value !== 'object' || value === null) return;
      if (typeof value.$ref === 'string') {
        const target = value.$ref
          .split('/')
          .slice(1)
          .reduce((at: Anything, part: string) => at?.[part], document);
        expect([value.$ref, typeof target]).toEqual([value.$ref, 'object']);
      }
      if (key === 'schema') schemas.push(value);
      for (const [name, item] of Object.entries(value)) look(item, name);
    };
    look(document);
    expect(schemas.length).toBeGreaterThan(300);
    for (const schema of [...schemas, ...Object.values(document.components.schemas)]) expect([schema, ajv.validateSchema(schema)]).toEqual([schema, true]);
    for (const [name, { parameters = [] }] of operations()) {
      const inPath = parameters.filter((parameter: Anything) => parameter.in === 'path').map((parameter: Anything) => parameter.name);
      expect([name, inPath]).toEqual([name, [...name.matchAll(/\{(\w+)\}/g)].map(([, found]) => found)]);
      const names = parameters.map((parameter: Anything) => `${parameter.in} ${parameter.name} ${parameter.$ref}`);
      expect([name, new Set(names).size]).toEqual([name, names.length]);
    }
  });

  it('states which writes take an Idempotency-Key: those that have an effect and whose answer may be told again', () => {
    const without = operations()
      .filter(([name, { parameters = [] }]) => WRITES.includes(name.split(' ')[0] as string) && !JSON.stringify(parameters).includes('IdempotencyKey'))
      .map(([name]) => name);
    expect(without.sort()).toEqual([
      'post /v1/config/check',
      'post /v1/config/diff',
      'post /v1/events',
      'post /v1/memory/import',
      'post /v1/memory/receipts/check',
      'post /v1/policies/test',
      'post /v1/routes/explain',
      'post /v1/subscriptions/import',
      'post /v1/vms/attach',
      'post /v1/ws-tickets',
    ]);
    for (const [name, { parameters = [] }] of operations()) if (name.startsWith('get ')) expect(JSON.stringify(parameters)).not.toContain('IdempotencyKey');
  });

  it('knows what a query means, what a body may leave out, and streams', () => {
    const sessions = document.paths['/v1/sessions'].get.parameters;
    expect(sessions).toContainEqual({ name: 'limit', in: 'query', required: false, schema: { type: 'integer', minimum: 1, maximum: 500 } });
    expect(document.paths['/v1/sessions/{key}/reset'].post.requestBody.required).toBe(false);
    expect(document.paths['/v1/memory'].post.requestBody.required).toBe(true);
    expect(Object.keys(document.paths['/v1/inbox/stream'].get.responses['200'].content)).toEqual(['text/event-stream']);
    expect(Object.keys(document.paths['/v1/policies'].post.requestBody.content)).toEqual(['application/json', 'application/yaml', 'text/plain']);
    expect(document.info.version).toBe('1.2.3');
  });

  it('is not sent again to whoever has it', async () => {
    const again = await fetch(url, { headers: { 'if-none-match': etag } });
    expect([again.status, await again.text()]).toEqual([304, '']);
  });

  it('can say what refers to itself', () => {
    const book = new SchemaBook();
    const Tree = z.object({
      name: z.string(),
      get children() {
        return z.array(Tree).optional();
      },
    });
    expect(book.input(z.object({ tree: Tree }), 'x.body')).toMatchObject({
      properties: { tree: { $ref: expect.stringMatching(/^#\/components\/schemas\/x\.body\./) } },
    });
    expect(book.input(Tree, 'y.body')).toEqual({ $ref: '#/components/schemas/y.body' });
    expect(JSON.stringify(book.components)).not.toContain('$defs');
    expect(openApiDocument([], '1').paths).toEqual({});
  });
});
