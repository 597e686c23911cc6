import { crc32 } from 'node:zlib';
import { pushLogContracts } from '@plexus/contracts';

/** The log partition of a user: every input about one user is in one order. Stable for the life of the stream. */
export function partitionOf(tenant: string, user: string): number {
  return crc32(`${tenant}|${user}`) % pushLogContracts.PUSH_PARTITIONS;
}
