import { ERROR_CODES } from '@plexus/contracts';
import type { RouteDescription } from '../describe.js';
import type { DescribedRoute } from './routes.js';
import { type Json, SchemaBook } from './schemas.js';

const PROBLEM = 'application/problem+json';
const WRITES = new Set(['post', 'put', 'patch', 'delete']);

const ISSUE = { type: 'object', properties: { path: { type: 'string' }, code: { type: 'string' }, message: { type: 'string' } }, required: ['path'] };
const PROBLEM_SCHEMA = {
  type: 'object',
  description: 'RFC 9457, with a stable code and whether trying the same again can help.',
  required: ['type', 'title', 'status', 'code', 'detail', 'retryable'],
  properties: {
    type: { type: 'string', format: 'uri' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', examples: Object.keys(ERROR_CODES).slice(0, 3) },
    detail: { type: 'string' },
    retryable: { type: 'boolean' },
    issues: { type: 'array', items: ISSUE },
    failures: { description: 'Of a refused policy: its tests that fail.' },
    criticalRegressions: { description: 'Of a refused policy: critical events that it would lose.' },
  },
};

const problemAnswer = (description: string, headers?: Json): Json => ({
  description,
  ...(headers && { headers }),
  content: { [PROBLEM]: { schema: { $ref: '#/components/schemas/Problem' } } },
});
const RETRY_AFTER = { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer', minimum: 1 } } };
const ANSWERS = {
  Problem: problemAnswer('Any other failure.'),
  Unauthenticated: problemAnswer('No bearer token, or one that is not good.'),
  Forbidden: problemAnswer('The token lacks the scope, or it is about somebody else.'),
  Invalid: problemAnswer('The input is not what it should be; `issues` says where.'),
  RateLimited: problemAnswer('Too many requests of this user or address, or a quota is used up.', RETRY_AFTER),
};

/** The OpenAPI 3.1 document of described routes. */
export function openApiDocument(routes: readonly DescribedRoute[], version: string): Json {
  const book = new SchemaBook();
  const paths: Record<string, Json> = {};
  for (const route of [...routes].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))) {
    paths[route.path] = { ...paths[route.path], [route.method]: operation(route, route.description ?? {}, book) };
  }
  const tags = [...new Set(routes.map(({ tag }) => tag))].sort().map((name) => ({ name }));
  return {
    openapi: '3.1.0',
    info: {
      title: 'Plexus gateway',
      version,
      description:
        'JSON under /v1. Whose data it is comes from the bearer token. Errors are problems (RFC 9457) with a stable `code`. Answers may gain fields.',
    },
    servers: [{ url: '/' }],
    tags,
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'The shared token, a declared token, or a JWT of the tenant.' } },
      parameters: {
        IdempotencyKey: {
          name: 'Idempotency-Key',
          in: 'header',
          description: 'The same key again has no second effect.',
          schema: { type: 'string', minLength: 1, maxLength: 256 },
        },
      },
      responses: ANSWERS,
      schemas: { Problem: PROBLEM_SCHEMA, ...book.components },
    },
  };
}

function operation({ method, path, operationId, tag, status }: DescribedRoute, description: RouteDescription, book: SchemaBook): Json {
  const { rpc, summary = rpc?.summary ?? operationId, scope, query, body, bodyTypes = [] } = description;
  const parameters = [
    ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
    ...(query === undefined ? [] : book.query(query, `${operationId}.query`).map((parameter) => ({ ...parameter, in: 'query' }))),
    ...(description.headers ?? []).map((name) => ({ name, in: 'header', schema: { type: 'string' } })),
    ...(description.response === 'text/event-stream' ? [{ name: 'Last-Event-ID', in: 'header', schema: { type: 'string' } }] : []),
    ...(takesKey(method, description) ? [{ $ref: '#/components/parameters/IdempotencyKey' }] : []),
  ];
  return {
    operationId,
    tags: [tag],
    summary,
    security: description.public === true ? [] : [{ bearer: scope === undefined ? [] : [scope] }],
    ...(parameters.length > 0 && { parameters }),
    ...((body !== undefined || bodyTypes.length > 0) && { requestBody: requestBody(description, operationId, book) }),
    responses: { [status]: answer(description, operationId, book), ...failures(rpc?.errors ?? []) },
  };
}

/** Whether an Idempotency-Key means something to a route. */
export function takesKey(method: string, { idempotency = 'kept' }: RouteDescription): boolean {
  return WRITES.has(method) && idempotency !== 'none';
}

function requestBody({ body, bodyTypes = [] }: RouteDescription, operationId: string, book: SchemaBook): Json {
  const texts = bodyTypes.map((type) => [type, { schema: { type: 'string' } }]);
  const json = body === undefined ? [] : [['application/json', { schema: book.input(body, `${operationId}.body`) }]];
  // A body that may be left out is read as an empty object.
  return { required: body === undefined || !body.safeParse({}).success, content: Object.fromEntries([...json, ...texts]) };
}

function answer({ rpc, response = rpc?.response }: RouteDescription, operationId: string, book: SchemaBook): Json {
  if (response === undefined) return { description: 'Done.' };
  if (typeof response === 'string') return { description: 'A stream.', content: { [response]: { schema: { type: 'string' } } } };
  return { description: 'Done.', content: { 'application/json': { schema: book.output(response, `${operationId}.answer`) } } };
}

function failures(codes: readonly string[]): Json {
  const reference = (name: keyof typeof ANSWERS): Json => ({ $ref: `#/components/responses/${name}` });
  const general: Json = { 400: reference('Invalid'), 401: reference('Unauthenticated'), 403: reference('Forbidden'), 429: reference('RateLimited') };
  const statusOf = (code: string) => ERROR_CODES[code as keyof typeof ERROR_CODES]?.status ?? 500;
  const own = [...new Set(codes.map(statusOf))].filter((status) => !(status in general));
  const named = own.map((status) => {
    const list = codes.filter((code) => statusOf(code) === status).map((code) => `\`${code}\``);
    return [status, problemAnswer(list.join(', '))];
  });
  return { ...general, ...Object.fromEntries(named), default: reference('Problem') };
}
