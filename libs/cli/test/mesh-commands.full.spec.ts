import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { startTestMesh, type TestMesh, waitFor } from '@plexus/testing';
import { callsOf, plexus } from './plexus.js';
import { describeSessions } from './sessions.js';

interface Span {
  readonly service: string;
}

describe('what people do by command in a running mesh', () => {
  let mesh: TestMesh;

  beforeAll(async () => {
    mesh = await startTestMesh();
  }, 180_000);
  afterAll(async () => {
    await mesh?.stop();
  }, 180_000);

  const { run, call } = callsOf(() => mesh);

  it('explains from the running configuration where a message goes', async () => {
    const { code, out } = await plexus(['--state', mesh.stateDir, 'route', 'explain', 'telegram', '--peer', 'group:-1001']);
    expect([code, out]).toEqual([0, expect.stringContaining('→ agent main, session agent:main:telegram:group:-1001, decided by default')]);
    expect(out).toContain('no binding names the channel telegram');
    const elsewhere = await run('route', 'explain', 'telegram', '--tenant', 'nobody');
    expect([elsewhere.code, elsewhere.json<{ error: { code: string } }>().error.code]).toEqual([1, 'UNAUTHENTICATED']);
  });

  it('adds, lists, shows and removes skills, as HTTP does', async () => {
    const folder = path.join(mesh.stateDir, 'greet');
    mkdirSync(path.join(folder, 'scripts'), { recursive: true });
    writeFileSync(path.join(folder, 'SKILL.md'), '---\nname: greet\ndescription: Greets.\nversion: 1.0.0\nrequires:\n  binaries: [sh]\n---\nSay hello.\n');
    writeFileSync(path.join(folder, 'scripts/hello.sh'), '#!/bin/sh\necho hello\n');
    expect((await run('skill', 'add', folder)).json()).toMatchObject({ created: true, skill: { id: 'greet', files: 2 } });
    expect((await plexus(['--state', mesh.stateDir, 'skill', 'add', folder])).out).toContain('greet 1.0.0 was there already');
    const skills = (await run('skill', 'ls')).json<{ skills: { id: string; source: string }[] }>().skills;
    expect(skills).toEqual(
      expect.arrayContaining([expect.objectContaining({ id: 'greet', source: 'tenant' }), expect.objectContaining({ id: 'log-digest', source: 'builtin' })]),
    );
    const { out } = await plexus(['--state', mesh.stateDir, 'skill', 'show', 'greet@1.0.0']);
    expect(out).toEqual(expect.stringMatching(/greet 1\.0\.0 \(tenant; all: 1\.0\.0\)\s+needs sh[\s\S]*scripts\/hello\.sh[\s\S]*Say hello\./));
    const shown = await call('GET', '/v1/skills/greet/package?version=1.0.0');
    expect([shown.status, await shown.json()]).toEqual([
      200,
      { package: expect.objectContaining({ skill_id: 'greet', file_inventory: expect.objectContaining({ script_files: ['scripts/hello.sh'] }) }) },
    ]);
    const other = await call(
      'POST',
      '/v1/skills',
      JSON.stringify({ files: [{ path: 'SKILL.md', content: '---\nname: greet\ndescription: x\nversion: 1.0.0\n---\n' }] }),
    );
    expect([other.status, await other.json()]).toEqual([409, expect.objectContaining({ code: 'CONFLICT' })]);
    expect((await run('skill', 'rm', 'greet')).json()).toEqual({ deleted: 1 });
    expect([(await call('GET', '/v1/skills/greet')).status, (await run('skill', 'rm', 'greet')).code]).toEqual([404, 4]);
    expect((await run('skill', 'add', path.join(folder, 'scripts'))).json()).toMatchObject({ error: { code: 'NO_SKILL' } });
  }, 120_000);

  it('exports, purges and imports memories by command and over HTTP; half a file is refused', async () => {
    const as = ['--user', 'archivist'];
    for (const text of ['the first memory', '第二个记忆', 'the third memory']) expect((await run('memory', 'add', text, ...as)).code).toBe(0);
    const file = path.join(mesh.stateDir, 'archivist.ndjson');
    const exported = await run('memory', 'export', file, ...as);
    expect([exported.code, exported.json()]).toEqual([0, expect.objectContaining({ file, memories: 3, format: 'plexus-memory' })]);
    const text = readFileSync(file, 'utf8');
    const streamed = await call('GET', '/v1/memory/export?user=archivist');
    expect([streamed.status, streamed.headers.get('content-type')]).toEqual([200, 'application/x-ndjson']);
    expect((await streamed.text()).split('\n').slice(0, 3)).toEqual(text.split('\n').slice(0, 3));

    expect((await run('memory', 'purge', ...as)).code).toBe(2);
    const receipt = (await run('memory', 'purge', '--yes', ...as)).json<{ counts: Record<string, number> }>();
    expect(receipt.counts).toMatchObject({ memories: 3 });
    const check = await call('POST', '/v1/memory/receipts/check', JSON.stringify({ receipt, user: 'archivist' }));
    expect(await check.json()).toEqual({ genuine: true, matches: true });

    const half = `${file}.half`;
    writeFileSync(half, text.split('\n').slice(0, 2).join('\n'));
    expect((await run('memory', 'import', half, ...as)).json()).toMatchObject({ error: { code: 'NOT_WHOLE' } });
    writeFileSync(half, text.replace('third', 'fourth'));
    expect((await run('memory', 'import', half, ...as)).json()).toMatchObject({ error: { code: 'NOT_WHOLE' } });
    const post = (body: string) =>
      fetch(`${mesh.gateway.http}/v1/memory/import`, {
        method: 'POST',
        headers: { authorization: `Bearer ${mesh.token}`, 'content-type': 'application/x-ndjson' },
        body,
      });
    for (const spoilt of [text.split('\n').slice(0, 2).join('\n'), text.replace('third', 'fourth')]) {
      const refused = await post(spoilt);
      expect([refused.status, await refused.json()]).toEqual([400, expect.objectContaining({ code: 'INVALID_REQUEST' })]);
    }
    expect((await run('memory', 'ls', ...as)).json<{ memories: unknown[] }>().memories).toEqual([]);
    const taken = await post(text);
    expect([taken.status, await taken.json()]).toEqual([200, expect.objectContaining({ done: true, created: 3, present: 0 })]);
    expect((await run('memory', 'import', file, ...as)).json()).toMatchObject({ created: 0, present: 3 });
    expect((await run('memory', 'search', '记忆', ...as)).json<{ hits: { content: string }[] }>().hits.map(({ content }) => content)).toEqual(['第二个记忆']);
    const purged = await call('POST', '/v1/memory/purge', JSON.stringify({ user: 'archivist', confirm: true }));
    expect([purged.status, await purged.json()]).toEqual([200, { receipt: expect.objectContaining({ counts: expect.objectContaining({ memories: 3 }) }) }]);
  }, 120_000);

  it('makes, shows, explains, pauses, resumes and ends a VM, and says what is wrong with a name', async () => {
    const nobodys = await run('vm', 'ensure', '--scope', 'agent:nobody');
    expect([nobodys.code, nobodys.json<{ error: { code: string } }>().error.code]).toEqual([1, 'NOT_FOUND']);
    const made = await run('vm', 'ensure', '--scope', 'session:cli', '--wait');
    const { vmId } = made.json<{ vmId: string }>();
    expect([made.code, made.json()]).toEqual([0, expect.objectContaining({ state: 'ready', created: true })]);
    expect((await plexus(['--state', mesh.stateDir, 'vm', 'ls'])).out).toContain(vmId);
    expect((await run('vm', 'show', vmId)).json()).toMatchObject({ vmId, scopeKey: 'session:cli', provider: 'local' });
    expect((await run('vm', 'why', vmId)).json<{ activity: { kind: string }[] }>().activity.map(({ kind }) => kind)).toContain('created');
    expect((await run('vm', 'logs', vmId)).code).toBe(0);
    const stateBecomes = (state: string) =>
      waitFor(async () => (await run('vm', 'show', vmId)).json<{ state: string }>().state === state, { timeoutMs: 60_000, what: `the VM to be ${state}` });
    expect((await run('vm', 'pause', vmId)).json()).toMatchObject({ desiredState: 'paused' });
    await stateBecomes('paused');
    await run('vm', 'resume', vmId);
    await stateBecomes('ready');
    expect((await run('vm', 'rm', vmId)).json()).toMatchObject({ desiredState: 'terminated' });
    await stateBecomes('terminated');
    expect((await run('vm', 'history', vmId)).json<{ to: string }[]>()[0]).toMatchObject({ to: 'terminated' });
    const unknown = await run('vm', 'show', 'vm-nobody-has');
    expect([unknown.code, unknown.json<{ error: { code: string } }>().error.code]).toEqual([1, 'NOT_FOUND']);
  }, 180_000);

  it('remembers, finds with an explanation, updates and forgets', async () => {
    const added = await run('memory', 'add', 'The harbour crane is out of service', '--kind', 'fact');
    const { id } = added.json<{ id: string; embedding: string }>();
    expect(added.json<{ embedding: string }>().embedding).toBe('pending');
    const found = await run('memory', 'search', 'crane of the harbour');
    expect(found.json<{ hits: { id: string; score: number }[] }>().hits[0]).toMatchObject({ id, score: expect.any(Number) });
    const text = await plexus(['--state', mesh.stateDir, 'memory', 'explain', 'harbour crane']);
    expect(text.out).toContain('score = 1 − (1 − 0.9·sem)·(1 − 0.8·lex)');
    const next = (await run('memory', 'update', id, 'The harbour crane works again')).json<{ id: string }>().id;
    // The demo's memory has a random word that may look like this one: it may be found, too, but behind.
    const after = (await run('memory', 'search', 'harbour crane')).json<{ hits: { id: string }[] }>().hits.map((hit) => hit.id);
    expect(after[0]).toBe(next);
    expect(after).not.toContain(id);
    await waitFor(async () => (await run('memory', 'stats')).json<{ pendingEmbeddings: number }>().pendingEmbeddings === 0, { timeoutMs: 60_000 });
    expect((await run('memory', 'search', 'harbour crane')).json<{ mode: string }>().mode).toBe('hybrid-lexical');
    expect((await run('memory', 'rm', next)).code).toBe(0);
    expect((await run('memory', 'search', 'crane', '--mode', 'text')).code).toBe(4); // nothing is found
  }, 180_000);

  it('shows one trace of a message across gateway, routing and scheduler', async () => {
    expect((await call('POST', '/v1/chat/send', JSON.stringify({ sessionKey: 'agent:main:traced', message: 'hello' }))).status).toBeLessThan(300);
    const trace = await waitFor(
      async () => {
        const shown = await run('trace', 'ls', '--limit', '100000');
        return shown
          .json<{ traceId: string; services: string[] }[]>()
          .find(({ services }) => ['gateway', 'routing', 'scheduler'].every((name) => services.includes(name)));
      },
      { timeoutMs: 120_000, intervalMs: 500, what: 'a trace that crosses gateway, routing and scheduler' },
    );
    const spans = (await run('trace', 'show', trace.traceId)).json<Span[]>();
    expect(new Set(spans.map(({ service }) => service)).size).toBeGreaterThanOrEqual(3);
  }, 180_000);

  it('parks an event that is none, shows why, and sends it again on demand', async () => {
    const { host, username, password } = new URL(readFileSync(path.join(mesh.stateDir, 'credentials/demo.url'), 'utf8').trim());
    const { connect } = await import('@nats-io/transport-node');
    const foreign = await connect({ servers: host, user: username, pass: decodeURIComponent(password) });
    await foreign.request('plexus.in.default.demo.broken.v1.k1', '{"not":"an event"}', { timeout: 60_000 });
    await foreign.close();
    const parked = await waitFor(
      async () => (await run('dlq', 'ls')).json<{ seq: number; code: string; originSubject: string }[]>().find((one) => one.originSubject.includes('.broken.')),
      {
        what: 'the parked message',
      },
    );
    expect(parked.code).toBe('INVALID_EVENT');
    expect((await run('dlq', 'show', String(parked.seq))).json<{ body: string }>().body).toBe('{"not":"an event"}');
    expect((await run('dlq', 'redrive', String(parked.seq))).code).toBe(0);
    const again = await waitFor(
      async () =>
        (await run('dlq', 'ls')).json<{ seq: number; originSubject: string }[]>().find((one) => one.originSubject.includes('.broken.') && one.seq > parked.seq),
      {
        what: 'the message parked once more',
      },
    );
    expect((await run('dlq', 'drop', String(again.seq))).code).toBe(0);
    expect((await run('dlq', 'show', String(again.seq))).code).toBe(1);
    // What a command did by itself, without asking a service, is written down as well.
    const acts = (await run('audit', 'ls', '--action', 'dlq.')).json<{ action: string; tenant: string; target: object }[]>();
    expect(acts.map(({ action, target }) => [action, target])).toEqual([
      ['dlq.redrive', { seqs: [parked.seq] }],
      ['dlq.drop', { seqs: [again.seq] }],
    ]);
  }, 180_000);

  it('writes down who did what, also what was refused, and never a secret', async () => {
    expect((await call('POST', '/v1/chat/send', JSON.stringify({ sessionKey: 'agent:main:audited', message: 'hello' }))).status).toBeLessThan(300);
    expect((await call('POST', '/v1/sessions/agent%3Amain%3Aaudited/grants', JSON.stringify({ grantee: 'carl', access: 'read' }))).status).toBeLessThan(300);
    expect((await call('DELETE', '/v1/vms/vm-of-nobody')).status).toBe(404);
    const listed = await run('audit', 'ls');
    const entries =
      listed.json<{ action: string; tenant: string; actor: { user?: string; credentialId: string }; target: object; outcome: string; code?: string }[]>();
    const of = (action: string) => entries.findLast((entry) => entry.action === action);
    expect(of('routing.share-session')).toMatchObject({
      ...{ tenant: 'default', actor: { user: 'me', credentialId: 'gateway-token' }, outcome: 'done' },
      target: { sessionKey: 'agent:main:audited', grantee: 'carl', access: 'read' },
    });
    expect(of('vm.terminate')).toMatchObject({ target: { vmId: 'vm-of-nobody' }, outcome: 'refused', code: 'NOT_FOUND' });
    expect(listed.out).not.toContain(mesh.token);
    expect((await run('audit', 'ls', '--action', 'vm.', '--limit', '1')).json<unknown[]>()).toHaveLength(1);
  }, 60_000);

  describeSessions(() => mesh);
});
