import fc from 'fast-check';
import { recogniseErrorPayload } from './error-payload.js';

describe('error payloads', () => {
  it.each([
    ['{"error":{"message":"slow down","type":"rate_limit_error","code":"rate_limit"}}', { message: 'slow down', type: 'rate_limit_error', code: 'rate_limit' }],
    [
      '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}',
      { message: 'Overloaded', type: 'overloaded_error', requestId: 'req_1' },
    ],
    ['Error: 429 {"error":{"message":"slow down"}}', { message: 'slow down', status: 429 }],
    ['[429] {"error":"x"}', { message: 'x', status: 429 }],
    [
      '[openai] HTTP 503: {"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}} (attempt 2)',
      { message: 'busy', code: '503', type: 'UNAVAILABLE', status: 503 },
    ],
    ['data: {"error":{"message":"mid-stream"}}', { message: 'mid-stream' }],
    ['Request failed\n  {"detail":"no","status":422,"title":"Unprocessable"}', { message: 'no', status: 422 }],
    ['{"error":"invalid_grant","detail":"expired"}', { message: 'expired', code: 'invalid_grant' }],
    ['[{"error":{"code":400,"message":"bad key","status":"INVALID_ARGUMENT"}}]', { message: 'bad key', code: '400', type: 'INVALID_ARGUMENT', status: 400 }],
    ['{"code":"NOT_FOUND","message":"There is none.","retryable":false}', { message: 'There is none.', code: 'NOT_FOUND' }],
    ['Upstream error: {"error":{"message":"nested","code":null}} trailing', { message: 'nested' }],
  ])('reads %s', (text, expected) => {
    expect(recogniseErrorPayload(text)).toEqual(expected);
  });

  it.each([
    '',
    'Something failed',
    'Error: 429 too many requests',
    '{"message":"hello"}',
    '{"answer":42}',
    '{"error":null}',
    '{"error":{}}',
    '{"type":"error"}',
    '{"status":200,"message":"ok"}',
    '[1,2,3]',
    'When the model is busy it answers with a body like {"error":{"message":"slow down"}} and you wait.',
    `${'x'.repeat(400)} error {"error":"far away"}`,
    `{"error":"quoted at the start"} ${'and then a long explanation '.repeat(40)}`,
  ])('does not mistake %j for one', (text) => {
    expect(recogniseErrorPayload(text)).toBeUndefined();
  });

  it('finds the payload behind any usual prefix', () => {
    const prefix = fc.constantFrom(
      '',
      'Error: ',
      'APIError: 500 ',
      'HTTP 500: ',
      'openai.RateLimitError: Error code: 429 - ',
      'request failed with status code 502 ',
      'Exception:\n',
      '[provider] ',
    );
    const message = fc.string({ minLength: 1 }).filter((text) => text.trim() !== '');
    fc.assert(
      fc.property(prefix, message, (before, words) => {
        expect(recogniseErrorPayload(before + JSON.stringify({ error: { message: words } }))?.message).toBe(words.trim());
      }),
    );
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), (text) => void recogniseErrorPayload(text)));
    expect(recogniseErrorPayload('{'.repeat(300_000))).toBeUndefined();
  });
});
