import type { LookupAddress } from 'node:dns';
import { allowedHosts, checkLiteral, guardedLookup, isPublicAddress, PrivateAddressError, publicLookup } from './public-address.js';

describe('addresses that tenants may have us talk to', () => {
  it.each(['8.8.8.8', '1.1.1.1', '172.15.0.1', '172.32.0.1', '2606:4700::1111', '2a00:1450::1'])('%s is one', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  it.each([
    ...[
      '127.0.0.1',
      '127.9.9.9',
      '10.1.2.3',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '169.254.169.254',
      '100.64.0.1',
      '0.0.0.0',
      '224.0.0.1',
      '255.255.255.255',
    ],
    ...['::', '::1', 'fe80::1', 'fd00::1', 'ff02::1', '::ffff:127.0.0.1', '::ffff:a9fe:a9fe', '64:ff9b::7f00:1', '2002:7f00:1::', 'not an address'],
  ])('%s is none', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  it('are judged in whatever way a URL writes them', () => {
    for (const url of ['http://127.1/', 'http://0x7f000001/', 'http://2130706433/', 'http://[::1]/', 'http://[::ffff:10.0.0.1]/']) {
      expect(() => checkLiteral(new URL(url).hostname)).toThrow(PrivateAddressError);
    }
    expect(() => checkLiteral('example.org')).not.toThrow();
    expect(() => checkLiteral('8.8.8.8')).not.toThrow();
  });

  it('are judged by where a name leads', async () => {
    const found = await new Promise<{ error: unknown; addresses: string | LookupAddress[] }>((resolve) =>
      publicLookup('localhost', { all: true }, (error, addresses) => resolve({ error, addresses })),
    );
    expect(found).toEqual({ error: expect.any(PrivateAddressError), addresses: [] });
  });
});

describe('what an operator allows', () => {
  const allows = allowedHosts('Mail.Internal, 10.0.0.1,[::1]');

  it('is a name whatever it leads to, or an address however it is reached, and nothing else', async () => {
    const look = (name: string, addresses: string[]) =>
      new Promise((resolve) =>
        guardedLookup(allows, (_name, _options, callback) =>
          callback(
            null,
            addresses.map((address) => ({ address, family: 4 })),
          ),
        )(name, { all: false }, (error, address) => resolve(error ?? address)),
      );
    expect(await look('mail.internal', ['192.168.0.9'])).toBe('192.168.0.9');
    expect(await look('other.internal', ['10.0.0.1'])).toBe('10.0.0.1');
    expect(await look('other.internal', ['8.8.8.8', '10.0.0.2'])).toBeInstanceOf(PrivateAddressError);
    expect(await look('other.internal', [])).toBeInstanceOf(PrivateAddressError);
    expect(() => checkLiteral('10.0.0.1', allows)).not.toThrow();
    expect(() => checkLiteral('[::1]', allows)).not.toThrow();
    expect(() => checkLiteral('10.0.0.3', allows)).toThrow(PrivateAddressError);
    expect(() => checkLiteral('127.0.0.1', allowedHosts('*'))).not.toThrow();
    expect(() => checkLiteral('127.0.0.1', allowedHosts(' , '))).toThrow(PrivateAddressError);
  });
});
