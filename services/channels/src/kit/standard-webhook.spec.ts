import { signedHeaders, signingKey, verifySigned } from './standard-webhook.js';

const key = signingKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
const at = 1_614_265_330_000;
const body = Buffer.from('{"test": 2432232314}');

it('signs as the specification of Standard Webhooks does in its example', () => {
  expect(signedHeaders('msg_p5jXN8AQM9LWM0D4loKWxJek', at, body, [key])).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

describe('a signed message', () => {
  const headers = signedHeaders('msg_1', at, body, [key]);
  const other = signingKey('another key of some length');

  it('is accepted with any current key, and when it carries signatures of several', () => {
    expect(verifySigned(headers, body, [other, key], at)).toEqual({ ok: true, id: 'msg_1' });
    expect(verifySigned(signedHeaders('msg_1', at, body, [other, key]), body, [key], at + 299_000)).toEqual({ ok: true, id: 'msg_1' });
  });

  it.each([
    ['with another key', headers, body, [other], at, 'wrong'],
    ['with another body', headers, Buffer.from('{}'), [key], at, 'wrong'],
    ['with another id', { ...headers, 'webhook-id': 'msg_2' }, body, [key], at, 'wrong'],
    ['with another time', { ...headers, 'webhook-timestamp': '1614265331' }, body, [key], at, 'wrong'],
    ['too old', headers, body, [key], at + 301_000, 'stale'],
    ['too far ahead', headers, body, [key], at - 301_000, 'stale'],
    ['with half a signature', { ...headers, 'webhook-signature': headers['webhook-signature']?.slice(0, 20) }, body, [key], at, 'wrong'],
    ['with a signature of another version', { ...headers, 'webhook-signature': `v2,${headers['webhook-signature']?.slice(3)}` }, body, [key], at, 'wrong'],
    ['without an id', { ...headers, 'webhook-id': undefined }, body, [key], at, 'missing'],
    ['with a time that is no number', { ...headers, 'webhook-timestamp': '1e9' }, body, [key], at, 'missing'],
  ] as const)('is refused %s', (_what, given, bytes, keys, now, reason) => {
    expect(verifySigned(given, bytes, keys, now)).toEqual({ ok: false, reason });
  });
});
