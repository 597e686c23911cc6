import { EVENTS, GatewayClient, METHODS, type MethodName, type SocketLike } from '@plexus/client-protocol';
import { CONTRACTS, type RpcContract } from '@plexus/contracts';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { fill, type JsonSchema, overlay, type Pool } from './fill-schema.js';
import type { Planted } from './plant.js';
import type { Resident, TwoTenants } from './two-tenants.js';

/** One thing that was tried with the credential of one tenant against what another has. */
export interface Row {
  readonly surface: 'HTTP' | 'WebSocket' | 'RPC, own subject' | 'RPC, foreign subject' | 'stream' | 'VM socket' | 'node socket';
  readonly name: string;
  /** `refused <code>`, or what kind of answer came. */
  readonly outcome: string;
  /** Everything that came back. */
  readonly answer: string;
}

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean; readonly schema: JsonSchema }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: JsonSchema }>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}
export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> };
}

/** What is tried last: afterwards the attacker's own part is not what it was. */
const LAST = /eras|purge|delete|DELETE|drop|config|rollback|reset|terminate|retire|activate|import|migrate|disconnect/;
const lastOnes = <T extends { readonly name: string }>(rows: readonly T[]): T[] =>
  [...rows].sort((a, b) => Number(LAST.test(a.name)) - Number(LAST.test(b.name)));

/** The form of an id of things that are not planted. */
const SOMETHING = '01jd2x3y4z5a6b7c8d9e0f1g2h';

/** Names of things of the victim, by the names of fields that could carry them. */
export function poolOf(planted: Planted, victim: Resident): Pool {
  const { sessionKey, sessionId, runId, memoryId, deliveryId, vmId, silenceId } = planted;
  return {
    ...{ sessionKey, sessionKeys: [sessionKey], keys: [sessionKey], key: sessionKey, sessionId, session_id: sessionId },
    ...{ runId, agentRunId: runId, deliveryId, ids: [deliveryId], memoryId, vmId, silenceId },
    ...{ owner: victim.user, user: victim.user, users: [victim.user] },
    ...{ subscriptionId: planted.subscriptionId, scheduleId: planted.scheduleId, contactId: planted.contactId, ruleId: planted.ruleId },
    ...{ skillId: planted.skillId, version: planted.policyVersion, seqs: [planted.parkedSeq], seq: planted.parkedSeq },
    ...{ agentId: 'main', grantee: 'carl', confirm: victim.user, waitMs: 0, timeoutMs: 1_000, timeout: 1, q: 'Remember', query: 'Remember' },
    ...{ attachmentId: SOMETHING, attachment_id: SOMETHING },
    ...{ sendId: SOMETHING, erasureId: SOMETHING, document: { agents: { list: [{ id: 'main', default: true }] } } },
  };
}

/** What a field called `id` means where it stands. */
function idsFor(name: string, planted: Planted): Pool {
  const id = [
    [/subscription/, planted.subscriptionId],
    [/schedule|cron/, planted.scheduleId],
    [/dispatch/, planted.ruleId],
    [/contact/, planted.contactId],
    [/silence/, planted.silenceId],
    [/memory/, planted.memoryId],
    [/inbox|delivery/, planted.deliveryId],
    [/vms|vm\./, planted.vmId],
    [/skill/, planted.skillId],
  ].find(([pattern]) => (pattern as RegExp).test(name))?.[1];
  return { ...(id === undefined ? {} : { id, jobId: id }), ...(/skill/.test(name) ? { version: '1.0.0' } : {}) };
}

/** On a machine that is busy with other things an answer may come too late; that says nothing about who may have it. */
async function patiently<T extends { readonly code: string | undefined }>(attempt: () => Promise<T>): Promise<T> {
  for (let left = 4; ; left -= 1) {
    const answer = await attempt();
    if (left === 0 || (answer.code !== 'TIMEOUT' && answer.code !== 'UNAVAILABLE')) return answer;
  }
}

const outcomeOf = (code: string | undefined, otherwise: string): string => (code === undefined ? otherwise : `refused ${code}`);

/** Every route of the OpenAPI document. Bodies that no schema describes come from `bodies`. */
export async function tryHttp(document: OpenApi, by: Resident, planted: Planted, pool: Pool, bodies: Readonly<Record<string, unknown>>): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { name, send, isStream } of lastOnes(requests(document, by, planted, pool, bodies))) {
    if (isStream) continue;
    const { status, code, text } = await patiently(send);
    rows.push({ surface: 'HTTP', name, outcome: outcomeOf(code, String(status)), answer: text });
  }
  return rows;
}

/** Paths of the document that answer with a stream of events, filled in. */
export function streamPaths(document: OpenApi, by: Resident, planted: Planted, pool: Pool): { readonly name: string; readonly path: string }[] {
  return requests(document, by, planted, pool, {}).filter(({ isStream }) => isStream);
}

function requests(document: OpenApi, by: Resident, planted: Planted, pool: Pool, bodies: Readonly<Record<string, unknown>>) {
  return Object.entries(document.paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(([verb, operation]) => {
      const name = `${verb.toUpperCase()} ${template}`;
      const own: Pool = { job: SOMETHING, name: 'session.event', ...pool, ...idsFor(template, planted) };
      const inPath = template.replace(/\{(\w+)\}/g, (_all, field: string) => encodeURIComponent(String(own[field] ?? 'x')));
      const query = new URLSearchParams();
      for (const { name: field, in: where, required, schema } of operation.parameters ?? []) {
        if (where !== 'query' || (required !== true && !(field in own))) continue;
        const value = fill(schema, own, document.components.schemas, field);
        if (typeof value !== 'object') query.set(field, String(value));
      }
      const path = query.size > 0 ? `${inPath}?${query}` : inPath;
      const schema = operation.requestBody?.content['application/json']?.schema;
      const body = name in bodies ? bodies[name] : schema === undefined ? undefined : fill(schema, own, document.components.schemas);
      const isStream = Object.values(operation.responses).some(({ content }) => content !== undefined && 'text/event-stream' in content);
      return { name, path, isStream, send: () => by.ask(verb.toUpperCase(), path, body, { 'if-match': '*' }) };
    }),
  );
}

/** Every method of the client protocol, over one socket. Events that it got meanwhile are handed to `onEvent`. */
export async function tryMethods(
  two: TwoTenants,
  by: Resident,
  planted: Planted,
  pool: Pool,
  params: Readonly<Record<string, unknown>>,
  onEvent: (text: string) => void,
): Promise<Row[]> {
  const client = await openClient(two, by, onEvent);
  const rows: Row[] = [];
  try {
    for (const { name } of lastOnes(Object.keys(METHODS).map((method) => ({ name: method })))) {
      const definition = METHODS[name as MethodName];
      const schema = z.toJSONSchema(definition.params as z.ZodType, { io: 'input', unrepresentable: 'any' }) as JsonSchema & {
        $defs?: Record<string, JsonSchema>;
      };
      const input = name in params ? params[name] : fill(schema, { ...pool, idempotencyKey: `try-${name}`, ...idsFor(name, planted) }, schema.$defs ?? {});
      const answer = await patiently(() =>
        client.request(name as MethodName, input as never, { timeoutMs: 60_000 }).then(
          (payload: unknown) => ({ code: undefined, text: JSON.stringify(payload) ?? '' }),
          (error: { code?: string; message: string; details?: unknown }) => ({
            code: detailCode(error) ?? error.code ?? 'ERROR',
            text: `${error.message} ${JSON.stringify(error.details ?? {})}`,
          }),
        ),
      );
      rows.push({ surface: 'WebSocket', name, outcome: outcomeOf(answer.code, 'answered'), answer: answer.text });
    }
  } finally {
    client.close();
  }
  return rows;
}

function detailCode(error: { readonly details?: unknown }): string | undefined {
  const { code } = (error.details ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}

/** A socket of a client that wants to hear everything that it may. */
export async function openClient(two: TwoTenants, by: Resident, onEvent: (text: string) => void): Promise<GatewayClient> {
  const client = new GatewayClient({ url: two.mesh.gateway.ws, token: by.token, createSocket: (url) => new WebSocket(url) as unknown as SocketLike });
  for (const event of EVENTS) client.on(event, (_payload, frame) => onEvent(JSON.stringify(frame)));
  await client.connect({ timeoutMs: 60_000 });
  return client;
}

export const RPCS = CONTRACTS.filter((contract): contract is RpcContract => contract.kind === 'rpc');

/** Every question of the mesh, with the token of one tenant: on the subject of its own tenant with names of the other's, and on the other's subject. */
export async function tryRpcs({ operator }: TwoTenants, by: Resident, planted: Planted, pool: Pool, victim: Resident): Promise<Row[]> {
  const rows: Row[] = [];
  const token = by.jwt();
  for (const { name, contract } of lastOnes(RPCS.map((one) => ({ name: `${one.domain}.${one.name}`, contract: one })))) {
    const data = overlay(contract.examples[0], { ...pool, ...idsFor(name, planted) });
    for (const [surface, tenant] of [
      ['RPC, foreign subject', victim.tenant],
      ['RPC, own subject', by.tenant],
    ] as const) {
      const answer = await patiently(() =>
        operator.call(contract, tenant, data as never, { token, timeoutMs: 30_000 }).then(
          (given: unknown) => ({ code: undefined, text: JSON.stringify(given) ?? '' }),
          (error: { code?: string; message: string; details?: unknown }) => ({
            code: error.code ?? 'ERROR',
            text: `${error.message} ${JSON.stringify(error.details ?? {})}`,
          }),
        ),
      );
      rows.push({ surface, name, outcome: outcomeOf(answer.code, 'answered'), answer: answer.text });
    }
  }
  return rows;
}
