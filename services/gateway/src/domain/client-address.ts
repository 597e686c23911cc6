import { BlockList, isIP, isIPv6 } from 'node:net';

/** Proxies whose word about the client's address is believed: addresses or networks in CIDR notation. Throws on anything else. */
export function trustedProxies(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/');
    if (isIP(address) === 0 || (bits !== undefined && !/^\d{1,3}$/.test(bits)))
      throw new TypeError(`${JSON.stringify(entry)} is no address and no network (203.0.113.0/24)`);
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

/**
 * Where a request really comes from: the peer, unless that is a trusted proxy; then the last address in X-Forwarded-For that is not a
 * trusted proxy itself. What stands further left was written by whoever sent the request and proves nothing.
 */
export function clientAddress(peer: string, forwardedFor: string | string[] | undefined, trusted: BlockList): string {
  let address = plain(peer);
  if (!isTrusted(address, trusted)) return address;
  const hops = (Array.isArray(forwardedFor) ? forwardedFor.join(',') : (forwardedFor ?? '')).split(',').map((hop) => plain(hop.trim()));
  for (const hop of hops.reverse()) {
    if (isIP(hop) === 0) break;
    address = hop;
    if (!isTrusted(hop, trusted)) break;
  }
  return address;
}

function isTrusted(address: string, trusted: BlockList): boolean {
  return isIP(address) !== 0 && trusted.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

function plain(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
