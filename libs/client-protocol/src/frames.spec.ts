import fc from 'fast-check';
import {
  encodeEvent,
  encodeEventHead,
  encodeEventTail,
  encodeFailure,
  encodeResult,
  errorOf,
  RequestFrame,
  ResponseFrame,
  StrictServerFrame,
} from './frames.js';

describe('frames', () => {
  it('property: every result, failure and event that is built satisfies the closed schema and never holds a null error', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.option(fc.jsonValue(), { nil: undefined }), fc.nat(), (id, payload, seq) => {
        for (const text of [encodeResult(id, payload), encodeEvent(id, payload, seq), encodeEvent(id, payload)]) {
          const frame = JSON.parse(text);
          expect(StrictServerFrame.safeParse(frame).success).toBe(true);
          expect('error' in frame).toBe(false);
          expect(JSON.stringify(frame.payload)).toBe(JSON.stringify(payload));
        }
      }),
    );
  });

  it('builds the same bytes from a shared head and a tail per connection', () => {
    const payload = { text: 'é "quoted"\n' };
    expect(encodeEventHead('chat', payload) + encodeEventTail(7)).toBe(encodeEvent('chat', payload, 7));
    expect(JSON.parse(encodeEvent('chat', payload, 7))).toEqual({ type: 'event', event: 'chat', payload, seq: 7 });
  });

  it('never sends an error without code and message, or a broken retryAfterMs', () => {
    const frame = JSON.parse(encodeFailure('1', { code: '', message: '', retryAfterMs: -3.5 }));
    expect(StrictServerFrame.safeParse(frame).success).toBe(true);
    expect(frame.error).toEqual({ code: 'UNAVAILABLE', message: 'failed', retryAfterMs: 0 });
  });

  it('reads null as absent and strips what it does not know', () => {
    expect(ResponseFrame.parse({ type: 'res', id: '1', ok: true, payload: { a: 1 }, error: null, extra: 1 })).toEqual({
      type: 'res',
      id: '1',
      ok: true,
      payload: { a: 1 },
      error: null,
    });
    expect(errorOf(ResponseFrame.parse({ type: 'res', id: '1', ok: false, error: null }))).toEqual({ code: 'UNAVAILABLE', message: 'the request failed' });
    expect(errorOf(ResponseFrame.parse({ type: 'res', id: '1', ok: false, error: { code: 'X', message: 'y', details: null, retryable: true } }))).toEqual({
      code: 'X',
      message: 'y',
      retryable: true,
    });
    expect(RequestFrame.safeParse({ type: 'req', id: '', method: 'health' }).success).toBe(false);
    expect(RequestFrame.safeParse({ type: 'req', id: '1', method: 'health', expectedProfileId: 'x' }).success).toBe(true);
  });
});
