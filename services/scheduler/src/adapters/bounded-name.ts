import { createHash } from 'node:crypto';

const MAX = 63;

/**
 * A name for something of a VM that fits wherever 63 characters do. The hash stands before what may be cut off, so that two VMs, or two clusters, never share one.
 */
export function boundedName(cluster: string, vmId: string): string {
  const hash = createHash('sha256').update(`${cluster}\0${vmId}`).digest('hex').slice(0, 16);
  return `plexus-${hash}-${vmId}`.slice(0, MAX).replace(/-+$/, '');
}
