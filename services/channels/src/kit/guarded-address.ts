import { type LookupAddress, type LookupOptions, lookup } from 'node:dns';
import { lookup as lookupAll } from 'node:dns/promises';
import { isIP } from 'node:net';
import { ChannelError } from './channel-error.js';
import type { PrivateHosts } from './private-hosts.js';

type Done = (error: Error | null, address: string | LookupAddress[], family?: number) => void;

/**
 * A `lookup` for sockets that gives no address which may not be connected to. The socket uses exactly the addresses that were checked,
 * so a name that resolves differently a moment later (DNS rebinding) gains nothing.
 */
export function guardedLookup(privateHosts: PrivateHosts) {
  return (hostname: string, options: LookupOptions, done: Done): void => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error) return done(error, []);
      try {
        for (const { address } of found) privateHosts.check(hostname, address);
      } catch (refusal) {
        return done(refusal as Error, []);
      }
      const [first] = found;
      if (options.all === true) done(null, found);
      else if (first !== undefined) done(null, first.address, first.family);
      else done(Object.assign(new Error(`no address for ${hostname}`), { code: 'ENOTFOUND' }), []);
    });
  };
}

/** Reads a URL with one of the schemes and checks a host that is an address already. Throws {@link ChannelError}. */
export function guardedUrl(text: string, schemes: readonly string[], privateHosts: PrivateHosts): URL {
  const url = URL.parse(text);
  if (url === null || !schemes.includes(url.protocol)) {
    throw new ChannelError({ message: `the URL must begin with ${schemes.join('// or ')}//`, code: 'BAD_URL', refused: true });
  }
  if (url.username !== '' || url.password !== '') {
    throw new ChannelError({ message: 'the URL must not carry a credential; use a reference to a secret', code: 'BAD_URL', refused: true });
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0) privateHosts.check(host, host);
  return url;
}

/**
 * The same check for clients that resolve names by themselves: every address that the name has now must be allowed. A name that changes
 * its address between this check and the connection is not caught.
 */
export async function checkReachable(text: string, schemes: readonly string[], privateHosts: PrivateHosts): Promise<URL> {
  const url = guardedUrl(text, schemes, privateHosts);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 || privateHosts.allows(host)) return url;
  for (const { address } of await lookupAll(host, { all: true })) privateHosts.check(host, address);
  return url;
}
