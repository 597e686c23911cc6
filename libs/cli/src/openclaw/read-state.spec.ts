import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { readState } from './read-state.js';

const { DatabaseSync } = createRequire(import.meta.url)('node:sqlite') as typeof import('node:sqlite');

describe('the state folder of an OpenClaw gateway', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'openclaw-'));
  const file = (name: string, text: string): void => {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  };
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  afterEach(() => {
    for (const name of ['agents', 'cron', 'state']) rmSync(path.join(folder, name), { recursive: true, force: true });
  });
  beforeEach(() => file('openclaw.json', "{ agents: { $include: './agents.json5' } }"));
  file('agents.json5', "{ list: [{ id: 'main' }] } // beside it");

  it('is read from files: includes, jobs, sessions, transcripts with a torn last line', () => {
    file('cron/jobs.json', '{"jobs":[{"id":"a"}]}');
    file('agents/main/sessions/sessions.json', '{"agent:main:b":{"sessionId":"b","updatedAt":2},"agent:main:a":{"sessionId":"a","updatedAt":1},"odd":{}}');
    file('agents/main/sessions/a.jsonl', '{"type":"session"}\n{"type":"mess');
    const state = readState(folder);
    expect(state.config).toEqual({ agents: { list: [{ id: 'main' }] } });
    expect(state.jobs).toEqual([{ id: 'a' }]);
    expect(state.sessions.map(({ sessionKey, transcript }) => [sessionKey, transcript()])).toEqual([
      ['agent:main:a', [{ type: 'session' }, undefined]],
      ['agent:main:b', undefined],
    ]);
    expect(state.notTaken).toEqual([{ path: 'agents/main: odd', reason: 'its entry names no conversation' }]);
    expect(readState(path.join(folder, 'openclaw.json')).config).toEqual(state.config);
  });

  it('is read from databases, as later versions write them, which count before files', () => {
    file('agents/main/sessions/sessions.json', '{"agent:main:main":{"sessionId":"old","updatedAt":1}}');
    mkdirSync(path.join(folder, 'agents/main/agent'), { recursive: true });
    const agent = new DatabaseSync(path.join(folder, 'agents/main/agent/openclaw-agent.sqlite'));
    agent.exec('CREATE TABLE session_nodes (session_key TEXT, current_session_id TEXT, entry_json TEXT, updated_at INTEGER)');
    agent.exec('CREATE TABLE transcript_events (session_id TEXT, seq INTEGER, event_json TEXT, event_zstd BLOB)');
    agent.prepare('INSERT INTO session_nodes VALUES (?, ?, ?, ?)').run('agent:main:main', 'new', '{"label":"Mine"}', 7);
    agent.prepare('INSERT INTO transcript_events VALUES (?, ?, ?, ?)').run('new', 2, null, zstdCompressSync('{"id":"2"}'));
    agent.prepare('INSERT INTO transcript_events VALUES (?, ?, ?, ?)').run('new', 1, '{"id":"1"}', null);
    agent.close();
    mkdirSync(path.join(folder, 'state'), { recursive: true });
    const shared = new DatabaseSync(path.join(folder, 'state/openclaw.sqlite'));
    shared.exec(`CREATE TABLE cron_jobs (job_id TEXT, job_json TEXT, sort_order INTEGER); INSERT INTO cron_jobs VALUES ('a', '{"id":"a"}', 0)`);
    shared.close();
    const { sessions, jobs, notTaken } = readState(folder);
    expect(sessions).toMatchObject([{ sessionKey: 'agent:main:main', sessionId: 'new', updatedAt: 7, entry: { label: 'Mine' } }]);
    expect(sessions[0]?.transcript()).toEqual([{ id: '1' }, { id: '2' }]);
    expect([jobs, notTaken]).toEqual([[{ id: 'a' }], []]);
  });

  it('a database that is none is reported; what stands beside it is read', () => {
    file('agents/main/agent/openclaw-agent.sqlite', 'no database at all, but long enough to look like something');
    file('agents/main/sessions/sessions.json', '{"agent:main:main":{"sessionId":"a"}}');
    const { sessions, notTaken } = readState(folder);
    expect(sessions).toHaveLength(1);
    expect(notTaken).toMatchObject([{ path: 'agents/main/agent/openclaw-agent.sqlite', reason: expect.stringContaining('cannot be read') }]);
    // Its jobs do not go without a word either; one without jobs is nothing to speak of.
    file('state/openclaw.sqlite', 'no database at all, but long enough to look like something');
    expect(readState(folder).notTaken.map(({ path: place }) => place)).toEqual(['agents/main/agent/openclaw-agent.sqlite', 'state/openclaw.sqlite']);
    rmSync(path.join(folder, 'state/openclaw.sqlite'));
    new DatabaseSync(path.join(folder, 'state/openclaw.sqlite')).close();
    expect(readState(folder).notTaken).toHaveLength(1);
  });

  it.each([
    ['nothing', undefined],
    ['agents.json5/no', undefined],
    ['', '{ agents: '],
    ['', '[]'],
    ['', '{ $include: "../outside.json" }'],
  ])('is refused with one code when it is %p with %p', (name, text) => {
    if (text !== undefined) file('openclaw.json', text);
    expect(() => readState(path.join(folder, name))).toThrow(expect.objectContaining({ code: 'IMPORT_REJECTED' }));
  });

  it('a session store that is broken refuses the whole, and a session file outside of its folder is not opened', () => {
    file('outside.jsonl', '{"type":"message"}');
    file('agents/main/sessions/sessions.json', '{"agent:main:main":{"sessionId":"a","sessionFile":"../../../outside.jsonl"}}');
    expect(readState(folder).sessions[0]?.transcript()).toBeUndefined();
    file('agents/main/sessions/sessions.json', '{');
    expect(() => readState(folder)).toThrow(expect.objectContaining({ code: 'IMPORT_REJECTED' }));
  });
});
