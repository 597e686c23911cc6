import fc from 'fast-check';
import { clientAddress, trustedProxies } from './client-address.js';

const trusted = trustedProxies(['10.0.0.0/8', '127.0.0.1', '2001:db8::/32']);

describe('client addresses', () => {
  it.each([
    ['198.51.100.7', undefined, '198.51.100.7'],
    ['198.51.100.7', '203.0.113.9', '198.51.100.7'],
    ['10.1.2.3', '203.0.113.9', '203.0.113.9'],
    ['::ffff:10.1.2.3', '203.0.113.9', '203.0.113.9'],
    ['10.1.2.3', '1.1.1.1, 203.0.113.9, 10.9.9.9', '203.0.113.9'],
    ['10.1.2.3', 'nonsense, 10.9.9.9', '10.9.9.9'],
    ['10.1.2.3', '', '10.1.2.3'],
    ['2001:db8::1', '2001:db9::5', '2001:db9::5'],
    ['127.0.0.1', '10.0.0.1', '10.0.0.1'],
  ])('peer %s with %s is %s', (peer, forwarded, expected) => {
    expect(clientAddress(peer, forwarded, trusted)).toBe(expected);
  });

  it('never believes an address that stands left of an untrusted one', () => {
    fc.assert(
      fc.property(fc.array(fc.ipV4(), { maxLength: 5 }), fc.ipV4(), (forged, real) => {
        fc.pre(!real.startsWith('10.') && real !== '127.0.0.1');
        expect(clientAddress('10.0.0.1', [...forged, real].join(', '), trusted)).toBe(real);
      }),
    );
  });

  it('refuses what is no address', () => {
    for (const bad of ['example.com', '10.0.0.0/x', '10.0.0.0/99', '']) expect(() => trustedProxies([bad])).toThrow();
  });
});
