import { originAllowed, readConnect } from './handshake.js';
import { REFUSALS } from './refusal.js';

const connect = (more: object = {}) => ({ minProtocol: 4, maxProtocol: 4, client: { id: 'cli', version: '1', platform: 'linux', mode: 'cli' }, ...more });

describe('reading a connect', () => {
  it('tolerates unknown keys and unknown kinds of clients', () => {
    const read = readConnect(connect({ future: true, client: { id: 'openclaw-toaster', version: '9', platform: 'bread', mode: 'toast', colour: 'brown' } }));
    expect(read.ok && read.value.client).toEqual({ id: 'openclaw-toaster', version: '9', platform: 'bread', mode: 'toast' });
  });

  it.each([undefined, null, 7, [], {}, connect({ client: undefined }), connect({ minProtocol: '4' }), connect({ auth: { token: 7 } })])(
    'refuses %j with the path that is wrong',
    (params) => {
      const read = readConnect(params);
      expect(!read.ok && read.error.error.message).toMatch(/^invalid connect params: at \//);
    },
  );

  it('keeps every refusal within what a close frame can carry', () => {
    const refusals = Object.values(REFUSALS).map((refusal) =>
      typeof refusal === 'function' ? (refusal as (...args: unknown[]) => { reason: string })('x'.repeat(500), 1) : refusal,
    );
    for (const { reason } of refusals) expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
  });
});

describe('origins', () => {
  it.each([
    [undefined, 'host:1', [], true],
    ['http://host:1', 'host:1', [], true],
    ['http://host:2', 'host:1', [], false],
    ['http://evil.example', 'host:1', ['https://console.example'], false],
    ['https://console.example', 'host:1', ['https://console.example'], true],
    ['null', 'host:1', [], false],
    ['anything', 'host:1', ['*'], true],
  ])('%s on %s with %j allowed: %s', (origin, host, allowed, expected) => {
    expect(originAllowed(origin, host, allowed)).toBe(expected);
  });
});
