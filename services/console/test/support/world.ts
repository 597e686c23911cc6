import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type SdkSite, startSdkSite } from './sdk-page.js';
import { type FakeAnswer, type FakeOpenAi, type FakeRequest, startFakeOpenAi, startTestMesh, type TestMesh } from '@plexus/testing';

/** A whole mesh with a model that answers as these suites expect. */
export interface World {
  readonly mesh: TestMesh;
  readonly model: FakeOpenAi;
  readonly address: string;
  /** A site of another origin that the gateway allows. */
  readonly site: SdkSite;
  call<T>(method: string, path: string, body?: unknown, type?: string, headers?: Readonly<Record<string, string>>): Promise<T>;
  /** Publishes through another process, as any service would, and returns when the stream has stored it. */
  publish(event: Record<string, unknown>): void;
  /** Something that nobody can handle, straight into the stream. */
  publishBroken(key: string): Promise<void>;
  stop(): Promise<void>;
}

const ANSWER = ['The nightly import ', 'finished at 10:42. ', 'Three reports are new: ', 'sales, churn ', 'and capacity.'];

function answerTo({ messages }: FakeRequest): FakeAnswer {
  const said = JSON.stringify(messages.at(-1)?.content ?? '');
  if (said.includes('count')) return { kind: 'text', pieces: Array.from({ length: 2_000 }, (_, index) => `${index + 1} `), pauseMs: 60 };
  return { kind: 'text', pieces: ANSWER, pauseMs: 30 };
}

export async function startWorld(): Promise<World> {
  const [model, site] = await Promise.all([startFakeOpenAi(answerTo), startSdkSite()]);
  const mesh = await startTestMesh({
    env: { PLEXUS_MODEL_BASE_URL: model.baseUrl, PLEXUS_MODEL: 'scripted', PLEXUS_MODEL_API_KEY: 'none', GATEWAY_ALLOWED_ORIGINS: site.origin },
  });
  const address = mesh.gateway.http;
  return {
    mesh,
    model,
    site,
    address,
    call: async <T>(method: string, place: string, body?: unknown, type = 'application/json', headers = {}) => {
      const response = await fetch(`${address}${place}`, {
        method,
        headers: { ...headers, authorization: `Bearer ${mesh.token}`, ...(body !== undefined && { 'content-type': type }) },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${place}: ${response.status} ${text}`);
      return (text === '' ? undefined : JSON.parse(text)) as T;
    },
    publish: (event) => {
      const script = `const r = await fetch(process.argv[1] + '/v1/events', { method: 'POST', headers: { authorization: 'Bearer ' + process.env.TOKEN, 'content-type': 'application/json' }, body: process.argv[2] }); if (!r.ok) { console.error(r.status, await r.text()); process.exit(1); }`;
      const done = spawnSync(
        process.execPath,
        ['--input-type=module', '-e', script, address, JSON.stringify({ specversion: '1.0', source: '/pipelines', ...event })],
        {
          encoding: 'utf8',
          env: { ...process.env, TOKEN: mesh.token },
        },
      );
      if (done.status !== 0) throw new Error(`publishing failed: ${done.stderr}`);
    },
    publishBroken: async (key) => {
      const { host, username, password } = new URL(readFileSync(path.join(mesh.stateDir, 'credentials/demo.url'), 'utf8').trim());
      const { connect } = await import('@nats-io/transport-node');
      const foreign = await connect({ servers: host, user: username, pass: decodeURIComponent(password) });
      await foreign.request(`plexus.in.default.demo.broken.v1.${key}`, '{"not":"an event"}', { timeout: 60_000 });
      await foreign.close();
    },
    stop: async () => {
      await mesh.stop();
      await model.stop();
      await site.close();
    },
  };
}

/** What a mesh looks like after a morning of use: pictures of empty pages help nobody. */
export async function fill({ call, publish, publishBroken }: World): Promise<void> {
  await call('POST', '/v1/subscriptions', { scopeKind: 'type', scopeRef: 'import_finished' });
  await call('POST', '/v1/subscriptions', { scopeKind: 'case', scopeRef: 'case-7', minSeverity: 'medium' });
  await call('POST', '/v1/subscriptions', { scopeKind: 'region', scopeRef: 'eu', level: 'critical_only' });
  publish({
    id: 'import-20',
    type: 'import_finished',
    severity: 'medium',
    data: { summary: 'The nightly import has finished: 3 reports are new.', topics: ['reports'] },
  });
  publish({ id: 'run-481', type: 'pipeline_failed', severity: 'high', data: { summary: 'Pipeline “eu-west” failed in step 4.', caseId: 'case-7' } });
  publish({ id: 'alert-9', type: 'alert_raised', severity: 'critical', data: { summary: 'The primary database does not answer.', regions: ['eu'] } });
  publish({ id: 'note-3', type: 'comment_added', severity: 'low', data: { summary: 'Ada commented on the report.', caseId: 'case-7' } });
  const facts: readonly (readonly [string, string])[] = [
    ['The production database is PostgreSQL 16 with pgvector.', 'fact'],
    ['The database migration runs on Sundays at 03:00 UTC.', 'fact'],
    ['Ada prefers short answers with figures.', 'preference'],
    ['用户偏好使用 PostgreSQL 数据库。', 'preference'],
    ['Reports are published on Fridays after the import.', 'note'],
  ];
  for (const [content, kind] of facts) await call('POST', '/v1/memory', { content, kind });
  await call('POST', '/v1/chat/send', { sessionKey: 'agent:main:reports', message: 'Which reports are new?', on_client_disconnect: 'continue' });
  await publishBroken('k1');
}
