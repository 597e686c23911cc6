import fc from 'fast-check';
import { CLOSE_CODES, reconnectPolicy } from './close-codes.js';
import { decodeMeshFrame, decodeVmFrame } from './decode-frame.js';
import { frameClass } from './frame-class.js';
import { historyText } from './frame-parts.js';
import { MESH_FRAMES } from './mesh-frames.js';
import { BadFrameBudget, TokenBucket } from './rate.js';
import { reconnectDelayMs } from './reconnect-delay.js';
import { VM_FRAMES } from './vm-frames.js';

const auth2 = { type: 'auth', token: 't', protocol: 2, vm_id: 'vm-1', epoch: 3, client_nonce: 'nonce-123', recv_seq: 0, sent_seq: 0 };

const vmFrames: Record<string, unknown>[] = [
  { type: 'auth', token: 't' },
  auth2,
  { ...auth2, sessions: [{ session_id: 's', run_id: 'r', run_state: 'running', snapshot_version: 0 }] },
  { type: 'resume', pending_ids: [] },
  { type: 'resume', pending_ids: ['a'], last_seq: 4 },
  { type: 'heartbeat', active_sessions: ['s'] },
  { type: 'sse_event', session_id: 's', data: '{"type":"text_chunk","content":"x"}' },
  { type: 'sse_event', session_id: 's', data: '{}', run_id: 'r', run_seq: 1, fseq: 1, fack: 0 },
  { type: 'request', id: '1', session_id: 's', method: 'memory_search', params: { query: 'q' } },
  { type: 'fire_and_forget', session_id: 's', method: 'usage_report', params: { model: 'm', tokens_in: 1, tokens_out: 2 }, fseq: 9 },
  { type: 'ack', fack: 3 },
  { type: 'nack', expected: 4 },
  { type: 'run_accepted', session_id: 's', run_id: 'r', fseq: 1 },
  { type: 'run_rejected', session_id: 's', run_id: 'r', code: 'DRAINING', fseq: 2 },
  { type: 'cancel_ack', session_id: 's', state: 'cancelled', fseq: 3 },
  { type: 'config_ack', applied: [], deferred: [], rejected: [], restart_required: false, fseq: 4 },
  {
    type: 'spans',
    spans: [
      {
        ...{ trace_id: '0af7651916cd43dd8448eb211c80319c', span_id: 'b7ad6b7169203331', parent_span_id: '00f067aa0ba902b7', op: 'chat' },
        ...{ start_ms: 1_764_000_000_000, duration_ms: 12.5, model: 'm', provider: 'p', input_tokens: 3, output_tokens: 1 },
      },
    ],
  },
];

const meshFrames: Record<string, unknown>[] = [
  {
    type: 'init',
    data: {
      user_id: 'me',
      org_id: 'default',
      api_keys: {},
      llm_config: { default_model: 'm', fallback_model: null, providers: { p: { base_url: 'http://x' } } },
    },
  },
  {
    type: 'init',
    data: { user_id: 'me', org_id: 'default' },
    protocol: 2,
    conn_gen: 1,
    lease_ms: 30_000,
    heartbeat_ms: 10_000,
    server_recv_seq: 0,
    server_sent_seq: 0,
  },
  {
    type: 'resume_response',
    results: { a: { status: 'completed', data: 1 }, b: { status: 'failed', error: { code: 'X', message: 'y' } }, c: { status: 'not_found' } },
  },
  {
    type: 'start_session',
    data: { session_id: 's', runtime_type: 'semigraph', agent_id: 'main', agent_config: { system_prompt: 'p', model: 'm', temperature: 0.2, max_tokens: 10 } },
    fseq: 1,
  },
  { type: 'stop_session', data: { session_id: 's', reason: 'user_closed' }, fseq: 2 },
  {
    type: 'user_message',
    session_id: 's',
    data: {
      message: 'hi',
      history: [
        { role: 'user', text: 'a' },
        { role: 'assistant', content: 'b' },
      ],
      metadata: { run_id: 'r', resume: true, run_seq_from: 7 },
    },
    fseq: 3,
  },
  { type: 'user_message', session_id: 's', data: { message: 'hi' } },
  { type: 'cancel', session_id: 's', data: { reason: 'user' }, reason: 'user' },
  { type: 'config_update', data: { agent_config: { model: 'n' } } },
  { type: 'response', id: '1', result: { results: [] }, error: null },
  { type: 'ack', session_id: 's', seq: 4 },
  { type: 'ack', fack: 4 },
  { type: 'nack', expected: 1 },
  { type: 'heartbeat_ack', server_time: 1, lease_until_ms: 2, desired: 'running' },
  { type: 'fenced', current_epoch: 4 },
  { type: 'snapshot_ack', version: 1 },
  { type: 'bind', data: { user_id: 'me', org_id: 'o', token: 't' } },
  { type: 'drain' },
  { type: 'token_refresh', token: 't' },
];

describe('frames', () => {
  it.each(vmFrames.map((frame) => [frame.type, frame] as const))('a VM may send %s, and unknown fields come through', (type, frame) => {
    const decoded = decodeVmFrame(JSON.stringify({ ...frame, later_addition: 1 }));
    expect(decoded).toMatchObject({ ok: true, value: { type, later_addition: 1 } });
  });

  it.each(meshFrames.map((frame) => [frame.type, frame] as const))('the mesh may send %s, and unknown fields come through', (type, frame) => {
    const decoded = decodeMeshFrame(JSON.stringify({ ...frame, later_addition: 1 }));
    expect(decoded).toMatchObject({ ok: true, value: { type, later_addition: 1 } });
  });

  it('has an example here for every type, and a class', () => {
    expect(new Set(vmFrames.map((frame) => frame.type))).toEqual(new Set(Object.keys(VM_FRAMES)));
    expect(new Set(meshFrames.map((frame) => frame.type))).toEqual(new Set(Object.keys(MESH_FRAMES)));
    for (const type of [...Object.keys(VM_FRAMES), ...Object.keys(MESH_FRAMES)]) expect(frameClass(type)).toBeDefined();
    expect([frameClass('toString'), frameClass('sse_event'), frameClass('heartbeat'), frameClass('auth')]).toEqual([
      undefined,
      'reliable',
      'ephemeral',
      'handshake',
    ]);
  });

  it('fills in what a plain mesh leaves out', () => {
    const decoded = decodeMeshFrame('{"type":"user_message","session_id":"s","data":{"message":"hi"}}');
    expect(decoded).toMatchObject({ ok: true, value: { data: { history: [], metadata: {} } } });
    const start = decodeMeshFrame('{"type":"start_session","data":{"session_id":"s","agent_id":"main"}}');
    expect(start).toMatchObject({ ok: true, value: { data: { runtime_type: 'semigraph', agent_config: {}, skill_index: [], session_config: {} } } });
  });

  it('reads history under both names', () => {
    expect([historyText({ role: 'user', text: 'a' }), historyText({ role: 'user', content: 'b' }), historyText({ role: 'user' })]).toEqual(['a', 'b', '']);
  });

  it.each([
    ['{', 'BAD_JSON'],
    ['[]', 'NOT_A_FRAME'],
    ['null', 'NOT_A_FRAME'],
    ['{"type":7}', 'NOT_A_FRAME'],
    ['{"type":"init"}', 'UNKNOWN_TYPE'],
    ['{"type":"__proto__"}', 'UNKNOWN_TYPE'],
    ['{"type":"constructor"}', 'UNKNOWN_TYPE'],
    ['{"type":"heartbeat","__proto__":{}}', 'BAD_JSON'],
    [`{"type":"heartbeat","active_sessions":${'['.repeat(200)}${']'.repeat(200)}}`, 'BAD_JSON'],
    ['{"type":"heartbeat"}', 'BAD_FRAME'],
    ['{"type":"auth","token":""}', 'BAD_FRAME'],
    ['{"type":"auth","token":"t","protocol":2}', 'BAD_FRAME'],
    ['{"type":"ack","fack":-1}', 'BAD_FRAME'],
    [`{"type":"heartbeat","active_sessions":[],"pad":"${'x'.repeat(2_000)}"}`, 'TOO_LARGE'],
  ])('refuses %.60s as %s', (text, code) => {
    expect(decodeVmFrame(text, { maxBytes: 1_500 })).toMatchObject({ ok: false, error: { code } });
  });

  it('names the fields that protocol 2 needs', () => {
    const decoded = decodeVmFrame('{"type":"auth","token":"t","protocol":2,"vm_id":"v","epoch":1,"recv_seq":0,"sent_seq":0}');
    expect(decoded).toMatchObject({ ok: false, error: { reason: expect.stringContaining('client_nonce') } });
  });

  it('keeps the number of a reliable frame that it refuses, and never its content', () => {
    const decoded = decodeVmFrame('{"type":"sse_event","session_id":"s","data":{"secret":"hunter2"},"fseq":12}');
    expect(decoded).toMatchObject({ ok: false, error: { code: 'BAD_FRAME', fseq: 12, type: 'sse_event', reason: 'data: invalid_type' } });
    expect(JSON.stringify(decoded)).not.toContain('hunter2');
  });

  it('never throws, whatever comes in', () => {
    const types = [...Object.keys(VM_FRAMES), ...Object.keys(MESH_FRAMES)];
    const nearFrame = fc.tuple(
      fc.constantFrom(...types),
      fc.dictionary(fc.constantFrom('data', 'session_id', 'fseq', 'fack', 'token', 'results', 'params', 'id'), fc.jsonValue()),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          nearFrame.map(([type, fields]) => JSON.stringify({ ...fields, type })),
        ),
        (text) => {
          for (const decoded of [decodeVmFrame(text), decodeMeshFrame(Buffer.from(text))])
            if (!decoded.ok) expect(decoded.error.bytes).toBeGreaterThanOrEqual(0);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe('close codes', () => {
  it('say whether to come back', () => {
    expect([4001, 4004, 4009, 4409].map(reconnectPolicy)).toEqual(['never', 'never', 'never', 'never']);
    expect(reconnectPolicy(1012)).toBe('at-once');
    expect([1000, 1001, 1003, 1006, 1009, 1011, 4008, 4029, 4400, 4410, 4413, 4500, 4999].map(reconnectPolicy)).toEqual(Array(13).fill('backoff'));
  });

  it('are unique and fit into a close frame', () => {
    const entries = Object.values(CLOSE_CODES);
    expect(new Set(entries.map((entry) => entry.code)).size).toBe(entries.length);
    for (const { reason } of entries) expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
  });
});

describe('reconnect schedule', () => {
  it('is 1, 2, 4, 8, 16, 30, 30 … s with 20 % either way', () => {
    const delays = (random: number) => [0, 1, 2, 3, 4, 5, 6, 500].map((attempt) => reconnectDelayMs(attempt, () => random));
    expect(delays(0.5)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    expect(delays(0)[5]).toBe(24_000);
    expect(delays(1)[5]).toBe(36_000);
  });
});

describe('limits', () => {
  it('let a burst through and then the steady rate', () => {
    const bucket = new TokenBucket(500, 1_000);
    let taken = 0;
    while (bucket.take(0)) taken++;
    expect(taken).toBe(1_000);
    expect(bucket.take(1)).toBe(false);
    expect([bucket.take(4), bucket.take(4), bucket.take(4)]).toEqual([true, true, false]);
    expect(bucket.take(3)).toBe(false);
  });

  it('end a connection at 20 bad frames within a minute, not over a longer time', () => {
    const quick = new BadFrameBudget();
    expect(Array.from({ length: 20 }, (_, i) => quick.note(i)).indexOf(true)).toBe(19);
    const slow = new BadFrameBudget();
    for (let i = 0; i < 200; i++) expect(slow.note(i * 3_200)).toBe(false);
    expect(slow.total).toBe(200);
  });
});
