import { type LookupAddress, type LookupAllOptions, lookup as systemLookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

const PRIVATE: readonly [network: string, prefix: number, family: 'ipv4' | 'ipv6'][] = [
  ['0.0.0.0', 8, 'ipv4'],
  ['10.0.0.0', 8, 'ipv4'],
  ['100.64.0.0', 10, 'ipv4'],
  ['127.0.0.0', 8, 'ipv4'],
  ['169.254.0.0', 16, 'ipv4'],
  ['172.16.0.0', 12, 'ipv4'],
  ['192.0.0.0', 24, 'ipv4'],
  ['192.0.2.0', 24, 'ipv4'],
  ['192.168.0.0', 16, 'ipv4'],
  ['198.18.0.0', 15, 'ipv4'],
  ['198.51.100.0', 24, 'ipv4'],
  ['203.0.113.0', 24, 'ipv4'],
  ['224.0.0.0', 3, 'ipv4'],
  ['::', 96, 'ipv6'],
  ['64:ff9b::', 96, 'ipv6'],
  ['64:ff9b:1::', 48, 'ipv6'],
  ['100::', 64, 'ipv6'],
  ['2001::', 23, 'ipv6'],
  ['2001:db8::', 32, 'ipv6'],
  ['2002::', 16, 'ipv6'],
  ['fc00::', 7, 'ipv6'],
  ['fe80::', 10, 'ipv6'],
  ['fec0::', 10, 'ipv6'],
  ['ff00::', 8, 'ipv6'],
];

const blocked = new BlockList();
for (const [network, prefix, family] of PRIVATE) blocked.addSubnet(network, prefix, family);

/** The address belongs to this machine, its neighbours or nobody: a tenant's configuration must not reach it. */
export class PrivateAddressError extends Error {}

/** True for an address of the open internet. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && !blocked.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/** Hosts (names or addresses, lower case, without brackets) that may be reached although they are private. */
export type AllowHost = (host: string) => boolean;

/** Reads what an operator allows: names and addresses separated by commas, or `*` for everything (the machine of one person). */
export function allowedHosts(list: string): AllowHost {
  const names = new Set(
    list
      .split(',')
      .map((name) => bare(name.trim()))
      .filter((name) => name !== ''),
  );
  return (host) => names.has('*') || names.has(bare(host));
}

/** Throws `PrivateAddressError` when a host is written as an address that may not be reached; names are judged by {@link guardedLookup}. */
export function checkLiteral(hostname: string, allows: AllowHost = () => false): void {
  const host = bare(hostname);
  if (isIP(host) !== 0 && !isPublicAddress(host) && !allows(host)) throw new PrivateAddressError('the address is private');
}

type Resolve = (hostname: string, options: LookupAllOptions, callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void) => void;

/**
 * Resolves a name for one connection, and refuses it when any of its addresses is private: what was checked is what is connected to, so that a
 * name which leads elsewhere a moment later gains nothing.
 */
export function guardedLookup(allows: AllowHost = () => false, resolve: Resolve = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      const refused = !allows(bare(hostname)) && addresses.some(({ address }) => !isPublicAddress(address) && !allows(address));
      if (addresses.length === 0 || refused) return callback(new PrivateAddressError('the name leads to a private address'), []);
      const [first] = addresses;
      return options.all === true ? callback(null, addresses) : callback(null, first?.address ?? '', first?.family);
    });
  };
}

/** Allows no private address at all. */
export const publicLookup: LookupFunction = guardedLookup();

function bare(host: string): string {
  return host.toLowerCase().replace(/^\[|\]$/g, '');
}
