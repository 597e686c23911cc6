import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readUplink } from './uplink.js';

const call = (method: string, params: unknown, rest: object = {}) =>
  readUplink({ type: 'fire_and_forget', session_id: 's', method, params, ...rest } as { type: string });

describe('readUplink', () => {
  it('reads what a VM reports', () => {
    expect(call('usage_report', { model: 'm', tokens_in: 1, tokens_out: 2, latency_ms: null })).toEqual({
      kind: 'usage',
      sessionId: 's',
      model: 'm',
      tokensIn: 1,
      tokensOut: 2,
      latencyMs: undefined,
      runId: undefined,
      cacheReadTokens: 0,
      cacheWriteTokens: 0,
    });
    const cached = { run_id: 'r', cache_read_tokens: 3, cache_write_tokens: 4 };
    expect(call('usage_report', { model: 'm', tokens_in: 9, tokens_out: 2, ...cached })).toMatchObject({ runId: 'r', cacheReadTokens: 3, cacheWriteTokens: 4 });
    expect(call('memory_write', { content: 'x', memory_type: 'their-own-kind' })).toMatchObject({ kind: 'memory', memoryKind: 'note', requestId: undefined });
    expect(call('memory_write', { content: 'x' }, { type: 'request', id: 'r' })).toMatchObject({ kind: 'memory', requestId: 'r' });
    expect(readUplink({ type: 'run_accepted' })).toEqual({ kind: 'none' });
    expect(call('snapshot_sync', { version: 3, unchanged: true })).toEqual({ kind: 'unchanged', sessionId: 's', version: 3 });
    expect(call('snapshot_sync', { unchanged: true })).toMatchObject({ kind: 'reject', code: 'INVALID_REQUEST' });
  });

  it('understands the words that runtimes of others have for kinds of memory', () => {
    const kindOf = (memory_type: string) => (call('memory_write', { content: 'x', memory_type }) as { memoryKind: string }).memoryKind;
    expect(['episodic', 'semantic', 'long_term', 'procedural', 'preference', 'constructor'].map(kindOf)).toEqual([
      'episode',
      'fact',
      'fact',
      'note',
      'preference',
      'note',
    ]);
  });

  it('keeps of a proposed skill that there was one, its name and its sizes, and nothing of its text', () => {
    const params = { name: 'greet', description: 'grüßt', skill_md: '# Say hello', quality_score: 0.9 };
    const details = { name: 'greet', description_bytes: 7, skill_md_bytes: 11, quality_score: 0.9 };
    expect(call('evolution_submit', params)).toEqual({ kind: 'audit', sessionId: 's', event: 'evolution_submit', details });
    expect(call('evolution_submit', { ...params, quality_score: 'high' })).toMatchObject({ kind: 'reject', code: 'INVALID_REQUEST' });
    expect(call('no_such_method', {})).toEqual({ kind: 'reject', code: 'METHOD_NOT_FOUND', requestId: undefined });
  });

  it('tells a waiting request that its method does not exist or its parameters do not fit', () => {
    expect(call('usage_report', { model: 'm', tokens_in: 1, tokens_out: 2 }, { type: 'request', id: 'r' })).toEqual({
      kind: 'reject',
      code: 'METHOD_NOT_FOUND',
      requestId: 'r',
    });
    expect(call('memory_write', { content: '' }, { type: 'request', id: 'r' })).toEqual({ kind: 'reject', code: 'INVALID_REQUEST', requestId: 'r' });
  });

  it('has an answer for every frame, and throws for none', () => {
    const methods = fc.constantFrom('usage_report', 'audit_log', 'memory_write', 'snapshot_sync', 'evolution_submit', '__proto__', '');
    const frame = fc.record({
      type: fc.string(),
      session_id: fc.anything(),
      method: fc.oneof(methods, fc.anything()),
      params: fc.anything(),
      id: fc.anything(),
    });
    fc.assert(
      fc.property(
        fc.oneof(frame, fc.record({ type: fc.constantFrom('request', 'fire_and_forget'), session_id: fc.string(), method: methods, params: fc.anything() })),
        (value) => {
          expect(['usage', 'audit', 'memory', 'snapshot', 'unchanged', 'none', 'reject']).toContain(readUplink(value as { type: string }).kind);
        },
      ),
    );
  });
});
