import { guardedLookup, guardedUrl, checkReachable } from './guarded-address.js';
import { isPrivateAddress, PrivateHosts } from './private-hosts.js';

describe('addresses of private networks', () => {
  it.each(['127.0.0.1', '10.1.2.3', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '224.0.0.1', '::1', '::', 'fe80::1', 'fd00::1'])(
    '%s is one',
    (address) => expect(isPrivateAddress(address)).toBe(true),
  );
  it.each(['::ffff:127.0.0.1', '::ffff:7f00:1', '64:ff9b::10.0.0.1', '2002:7f00:1::', '::127.0.0.1'])('%s hides one', (address) =>
    expect(isPrivateAddress(address)).toBe(true),
  );
  it.each(['1.1.1.1', '172.32.0.1', '8.8.8.8', '2606:4700::1111', '::ffff:1.1.1.1', '64:ff9b::808:808'])('%s is none', (address) =>
    expect(isPrivateAddress(address)).toBe(false),
  );
  it('something that is no address counts as one', () => expect(isPrivateAddress('example.org')).toBe(true));
});

describe('what an account may name', () => {
  const nothing = new PrivateHosts('');
  const look = (hosts: PrivateHosts, name: string) =>
    new Promise((resolve, reject) => guardedLookup(hosts)(name, { all: true }, (error, found) => (error ? reject(error) : resolve(found))));

  it('a name that resolves to a private address is refused when the socket connects', async () => {
    await expect(look(nothing, 'localhost')).rejects.toMatchObject({ described: { code: 'ADDRESS_NOT_ALLOWED' } });
    await expect(look(new PrivateHosts('localhost'), 'localhost')).resolves.toEqual(expect.arrayContaining([expect.objectContaining({ family: 4 })]));
    await expect(checkReachable('ws://localhost:1/', ['ws:', 'wss:'], nothing)).rejects.toMatchObject({ described: { refused: true } });
  });

  it.each([
    ['http://127.1/', 'ADDRESS_NOT_ALLOWED'],
    ['http://2130706433/', 'ADDRESS_NOT_ALLOWED'],
    ['http://0x7f.0.0.1/', 'ADDRESS_NOT_ALLOWED'],
    ['http://[::1]:80/', 'ADDRESS_NOT_ALLOWED'],
    ['file:///etc/passwd', 'BAD_URL'],
    ['http://user:pass@example.org/', 'BAD_URL'],
    ['nonsense', 'BAD_URL'],
  ])('%s is refused', (url, code) =>
    expect(() => guardedUrl(url, ['http:', 'https:'], nothing)).toThrow(expect.objectContaining({ described: expect.objectContaining({ code }) })),
  );

  it('the operator allows single hosts or everything', () => {
    expect(guardedUrl('http://127.0.0.1:9/x', ['http:'], new PrivateHosts(' 10.0.0.1, 127.0.0.1')).port).toBe('9');
    expect(guardedUrl('http://[::1]/', ['http:'], new PrivateHosts('*')).hostname).toBe('[::1]');
    expect(() => guardedUrl('http://127.0.0.2/', ['http:'], new PrivateHosts('127.0.0.1'))).toThrow();
  });
});
