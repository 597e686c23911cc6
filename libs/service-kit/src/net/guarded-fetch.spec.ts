import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AnswerTooLargeError, type GuardedFetch, guardedFetch } from './guarded-fetch.js';
import { allowedHosts, guardedLookup, PrivateAddressError } from './public-address.js';

describe('what is fetched for a tenant', () => {
  let inside: Server;
  let port = 0;
  let asked: string[] = [];
  const open: GuardedFetch[] = [];

  beforeAll(async () => {
    inside = createServer((request, response) => {
      asked.push(`${request.headers.host} ${request.url}`);
      if (request.url === '/away') response.writeHead(302, { location: `http://127.0.0.1:${port}/secret` }).end();
      else response.end(request.url === '/large' ? 'x'.repeat(10_000) : 'the metadata of this machine');
    });
    await new Promise<void>((resolve) => inside.listen(0, '127.0.0.1', resolve));
    port = (inside.address() as AddressInfo).port;
  });
  beforeEach(() => {
    asked = [];
  });
  afterAll(async () => {
    for (const one of open) one.close();
    inside.closeAllConnections();
    await new Promise((resolve) => inside.close(resolve));
  });

  function fetcher(options: Partial<Parameters<typeof guardedFetch>[0]> = {}): GuardedFetch {
    const made = guardedFetch({ allowPrivate: false, maxAnswerBytes: 1_000, maxSockets: 2, ...options });
    open.push(made);
    return made;
  }

  it.each([
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '0',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[64:ff9b::7f00:1]',
    '8.8.8.8@127.0.0.1',
    'localhost',
    '169.254.169.254',
    '[fd00:ec2::254]',
  ])('never comes from http://%s, however it is written', async (host) => {
    await expect(fetcher().fetch(`http://${host}:${port}/`)).rejects.toThrow(PrivateAddressError);
    expect(asked).toEqual([]);
  });

  it('never comes from a name that leads inside, not even the second time it is asked, nor with one good address among others', async () => {
    const answers = [['127.0.0.1'], ['93.184.216.34', '127.0.0.1'], ['::ffff:127.0.0.1'], ['fe80::1']];
    let calls = 0;
    const lookup = guardedLookup(
      () => false,
      (_name, _options, callback) => {
        const addresses = answers[calls % answers.length] as string[];
        calls += 1;
        callback(
          null,
          addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
        );
      },
    );
    const { fetch } = fetcher({ lookup });
    for (const _answer of answers) await expect(fetch(`http://rebound.example:${port}/`)).rejects.toThrow(PrivateAddressError);
    // Every connection asks anew: nothing that was found good once is believed later.
    expect(calls).toBe(answers.length);
    expect(asked).toEqual([]);
  });

  it('is the redirect itself, never what it leads to', async () => {
    const response = await fetcher({ allowPrivate: allowedHosts('127.0.0.1') }).fetch(`http://127.0.0.1:${port}/away`);
    expect([response.status, await response.text()]).toEqual([302, '']);
    expect(asked).toEqual([`127.0.0.1:${port} /away`]);
  });

  it('ends at its bound', async () => {
    const response = await fetcher({ allowPrivate: true }).fetch(`http://127.0.0.1:${port}/large`);
    await expect(response.text()).rejects.toThrow(AnswerTooLargeError);
  });

  it.each(['file:///etc/passwd', 'ftp://example.org/', 'gopher://example.org/', 'data:text/plain,x'])('is never %s', async (url) => {
    await expect(fetcher({ allowPrivate: true }).fetch(url)).rejects.toThrow('not an http(s) address');
  });
});
