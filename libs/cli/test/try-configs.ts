import type { TestMesh } from '@plexus/testing';
import type { Attempt } from './random-config.js';

interface Answer {
  readonly status: number;
  readonly body: {
    code?: string;
    detail?: string;
    issues?: { path?: string; code?: string; message?: string; value?: unknown; fix?: string }[];
    revision?: number;
  };
}

const KNOWN = [200, 400, 409, 422];

/**
 * Sends every attempt to a running mesh and checks each answer: an issue names path, rule, reason and what to do, and quotes what stands
 * there unless nothing does. Returns how many were taken and how many refused with issues.
 */
export async function tryConfigs(mesh: TestMesh, attempts: readonly Attempt[]): Promise<{ accepted: number; rejected: number }> {
  const counts = { accepted: 0, rejected: 0 };
  for (const attempt of attempts) {
    const { status, body } = await send(mesh, attempt);
    const about = () => JSON.stringify({ attempt, status, body }).slice(0, 2_000);
    if (!KNOWN.includes(status)) throw new Error(`an unexpected answer: ${about()}`);
    if (attempt.kind === 'document' && attempt.legal !== (status === 200))
      throw new Error(`a ${attempt.legal ? 'legal' : 'broken'} document was answered with ${status}: ${about()}`);
    if (status === 200) counts.accepted += 1;
    if (status !== 422) continue;
    counts.rejected += 1;
    if (body.issues === undefined || body.issues.length === 0) throw new Error(`no issues: ${about()}`);
    for (const issue of body.issues) {
      if (typeof issue.path !== 'string' || !issue.message || !issue.code || !issue.fix)
        throw new Error(`an issue without path, code, message or fix: ${about()}`);
      if (issue.value === undefined && !issue.fix.startsWith('add it')) throw new Error(`an issue that does not quote what stands there: ${about()}`);
      if (JSON.stringify(issue).includes('sk-plain')) throw new Error(`a secret is quoted: ${about()}`);
    }
  }
  return counts;
}

async function send(mesh: TestMesh, attempt: Attempt): Promise<Answer> {
  const call = async (method: string, body: string, type: string, etag: string): Promise<Answer> => {
    const response = await fetch(`${mesh.gateway.http}/v1/config`, {
      method,
      headers: { authorization: `Bearer ${mesh.token}`, 'content-type': type, 'if-match': etag },
      body,
    });
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  };
  if (attempt.kind === 'document') return call('PUT', JSON.stringify(attempt.body), 'application/json5', '*');
  if (attempt.kind === 'bytes') return call('PUT', attempt.body, 'application/json5', '*');
  const current = await fetch(`${mesh.gateway.http}/v1/config`, { headers: { authorization: `Bearer ${mesh.token}` } });
  await current.arrayBuffer();
  return call('PATCH', JSON.stringify(attempt.body), 'application/json', current.headers.get('etag') ?? '');
}
