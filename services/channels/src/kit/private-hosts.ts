import { BlockList, isIP } from 'node:net';
import { ChannelError } from './channel-error.js';

/** Networks that the public internet does not route: what a URL of a tenant must not reach unless the operator allows it. */
const PRIVATE = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv4');
}
for (const [network, prefix] of [
  ['::', 128],
  ['::1', 128],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001:db8::', 32],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv6');
}

/** True for an address that lies in no public network; also when it is written as IPv6 around an IPv4 address. */
export function isPrivateAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return PRIVATE.check(address, 'ipv4');
  if (family !== 6) return true;
  const embedded = embeddedIpv4(address);
  return PRIVATE.check(address, 'ipv6') || (embedded !== undefined && PRIVATE.check(embedded, 'ipv4'));
}

/** The IPv4 address in `::ffff:a.b.c.d`, NAT64 and 6to4 addresses. */
function embeddedIpv4(address: string): string | undefined {
  const groups = expand(address);
  const v4 = (high: number | undefined, low: number | undefined): string => [(high ?? 0) >> 8, (high ?? 0) & 255, (low ?? 0) >> 8, (low ?? 0) & 255].join('.');
  const zeros = (count: number): boolean => groups.slice(0, count).every((group) => group === 0);
  if (zeros(5) && (groups[5] === 0xffff || groups[5] === 0)) return v4(groups[6], groups[7]);
  if (groups[0] === 0x64 && groups[1] === 0xff9b) return v4(groups[6], groups[7]);
  return groups[0] === 0x2002 ? v4(groups[1], groups[2]) : undefined;
}

function expand(address: string): number[] {
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const plain = dotted
    ? `${address.slice(0, dotted.index)}${((Number(dotted[1]) << 8) | Number(dotted[2])).toString(16)}:${((Number(dotted[3]) << 8) | Number(dotted[4])).toString(16)}`
    : address;
  const [head = '', tail] = (plain.split('%', 1)[0] as string).split('::');
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const front = groups(head);
  const back = tail === undefined ? [] : groups(tail);
  return [...front, ...Array<number>(Math.max(0, 8 - front.length - back.length)).fill(0), ...back];
}

/** What the operator allows beyond the public internet: host names and addresses, or `*` for everything (a machine of one person). */
export class PrivateHosts {
  private readonly names: ReadonlySet<string>;

  constructor(list: string) {
    this.names = new Set(
      list
        .split(',')
        .map((name) => name.trim().toLowerCase())
        .filter((name) => name !== ''),
    );
  }

  /** True when `host` was named; its addresses are then not looked at. */
  allows(host: string): boolean {
    return this.names.has('*') || this.names.has(host.toLowerCase().replace(/^\[|\]$/g, ''));
  }

  /** Throws {@link ChannelError} unless `address`, to which `host` resolved, may be connected to. */
  check(host: string, address: string): void {
    if (this.allows(host) || this.allows(address) || !isPrivateAddress(address)) return;
    throw refusal(host, address);
  }
}

function refusal(host: string, address: string): ChannelError {
  const where = host === address ? host : `${host} (${address})`;
  return new ChannelError({
    message: `${where} is not a public address; the operator can allow it with CHANNEL_PRIVATE_HOSTS`,
    code: 'ADDRESS_NOT_ALLOWED',
    refused: true,
  });
}
