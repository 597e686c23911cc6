import { PlexusError } from '@plexus/kernel';
import fc from 'fast-check';
import { classifyModelError, type ModelErrorReason } from './model-error.js';

const NOW = Date.UTC(2026, 10, 21);
const answered = (statusCode: number, error: unknown, responseHeaders: Record<string, string> = {}) =>
  Object.assign(new Error('from the client library'), {
    statusCode,
    responseHeaders,
    responseBody: typeof error === 'string' ? error : JSON.stringify({ error }),
  });
const reasonOf = (error: unknown): ModelErrorReason => classifyModelError(error, NOW).reason;

describe('a request that is too long is recognised', () => {
  it.each<[string, number, unknown, number | undefined]>([
    ['by the code of the OpenAI format', 400, { message: 'Too much.', code: 'context_length_exceeded', type: 'invalid_request_error' }, undefined],
    [
      'with the limit in the message',
      400,
      { message: "This model's maximum context length is 8,192 tokens. However, your messages resulted in 9000 tokens." },
      8_192,
    ],
    ['in the words of Anthropic', 400, { type: 'invalid_request_error', message: 'prompt is too long: 205123 tokens > 200000 maximum' }, 200_000],
    [
      'in the words of Gemini',
      400,
      { message: 'The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).', status: 'INVALID_ARGUMENT' },
      1_048_576,
    ],
    [
      'in the words of llama.cpp, the figure beside the message',
      400,
      {
        code: 400,
        message: 'the request exceeds the available context size, try increasing it',
        type: 'exceed_context_size_error',
        n_prompt_tokens: 5_000,
        n_ctx: 4_096,
      },
      4_096,
    ],
    ['in the words of Mistral', 400, { message: 'Prompt contains 40000 tokens, too large for model with 32768 maximum context length' }, 32_768],
    ['in the words of xAI', 400, { message: "This model's maximum prompt length is 131072 but the request contains 537812 tokens." }, 131_072],
    ['in the words of Cohere', 400, { message: 'too many tokens: total number of tokens in the prompt cannot exceed 4081' }, 4_081],
    ['in the words of LM Studio', 400, { message: 'The model is loaded with context length of only 4096 tokens, so the context overflows.' }, 4_096],
    ['in plain text', 400, 'Input is too long for requested model.', undefined],
    ['by 413 alone', 413, '<html>Payload Too Large</html>', undefined],
  ])('%s', (_, status, body, limitTokens) => {
    const { reason, limitTokens: found } = classifyModelError(answered(status, body), NOW);
    expect({ reason, limitTokens: found }).toEqual({ reason: 'context_overflow', limitTokens });
  });

  it('also within a stream that had begun', () => {
    expect(classifyModelError({ message: 'maximum context length is 16384 tokens', code: 400 }, NOW)).toMatchObject({
      reason: 'context_overflow',
      limitTokens: 16_384,
    });
    expect(reasonOf('data: {"error":{"message":"context length exceeded","code":400}}')).toBe('context_overflow');
  });
});

it.each<[ModelErrorReason, unknown]>([
  ['auth', answered(401, { message: 'Incorrect API key provided' })],
  ['auth', answered(403, 'no')],
  ['billing', answered(402, 'pay')],
  ['billing', answered(429, { message: 'You exceeded your current quota, please check your plan and billing details.', code: 'insufficient_quota' })],
  ['billing', answered(400, { message: 'Your credit balance is too low to access the API.' })],
  ['rate_limit', answered(429, { message: 'slow down' })],
  [
    'rate_limit',
    answered(413, { message: 'Request too large for model m on tokens per minute (TPM): Limit 6000, Requested 8000', code: 'rate_limit_exceeded' }),
  ],
  ['overloaded', answered(503, 'busy')],
  ['overloaded', answered(529, { type: 'overloaded_error', message: 'Overloaded' })],
  ['overloaded', { type: 'overloaded_error', message: 'Overloaded', code: 'x' }],
  ['timeout', answered(408, '')],
  ['timeout', new PlexusError({ code: 'TIMEOUT', message: 'm', retryable: true, status: 504 })],
  ['timeout', Object.assign(new Error('t'), { cause: Object.assign(new Error('c'), { code: 'UND_ERR_HEADERS_TIMEOUT' }) })],
  ['unreachable', Object.assign(new Error('fetch failed'), { cause: Object.assign(new Error('c'), { code: 'ECONNREFUSED' }) })],
  ['unknown_model', answered(404, { message: 'not here' })],
  ['unknown_model', answered(400, { message: 'The model `m` does not exist', code: 'model_not_found' })],
  ['bad_request', answered(400, { message: "Unrecognized request argument supplied: 'foo'" })],
  ['bad_request', answered(422, 'nope')],
  ['unknown', new Error('surprise')],
  ['unknown', undefined],
])('%s is recognised', (reason, error) => {
  expect(reasonOf(error)).toBe(reason);
});

it('the wait that an endpoint wishes is read from wherever it says it', () => {
  const waits = (headers: Record<string, string>, message = '') => classifyModelError(answered(429, { message: message || 'slow' }, headers), NOW).retryAfterMs;
  expect(waits({ 'retry-after': '7' })).toBe(7_000);
  expect(waits({ 'retry-after-ms': '250', 'retry-after': '7' })).toBe(250);
  expect(waits({ 'retry-after': new Date(NOW + 5_000).toUTCString() })).toBe(5_000);
  expect(waits({}, 'Please try again in 1m2.5s.')).toBe(62_500);
  expect(waits({}, 'Please try again in 20ms.')).toBe(20);
  expect(waits({ 'retry-after': 'soon' })).toBeUndefined();
  expect(waits({ 'retry-after': '-1' })).toBeUndefined();
});

it('whatever is thrown has a reason', () => {
  fc.assert(
    fc.property(fc.anything({ withNullPrototype: true }), fc.option(fc.integer({ min: 0, max: 700 })), (value, status) => {
      const error = status === null ? value : Object.assign(new Error('e'), { statusCode: status, data: value, responseBody: String(JSON.stringify(value)) });
      expect(reasonOf(error)).toEqual(expect.any(String));
    }),
  );
});
