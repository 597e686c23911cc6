import { createHash } from 'node:crypto';

/** Prefix of all labels and annotations. */
const DOMAIN = 'plexus.dev';

export const LABELS = {
  /** Which mesh an object belongs to. */
  cluster: `${DOMAIN}/cluster`,
  tenant: `${DOMAIN}/tenant`,
  vm: `${DOMAIN}/vm`,
  epoch: `${DOMAIN}/epoch`,
  template: `${DOMAIN}/template`,
  /** Which network policy applies; the policy selects by it. */
  network: `${DOMAIN}/network`,
  managedBy: 'app.kubernetes.io/managed-by',
} as const;

export const ANNOTATIONS = {
  /** The exact id: a label may hold only a shortened one. */
  vmId: `${DOMAIN}/vm-id`,
  cluster: `${DOMAIN}/cluster-id`,
  /** On workspaces: the newest epoch that had it, and when it was last begun or ended (ISO 8601). */
  epoch: `${DOMAIN}/epoch`,
  usedAt: `${DOMAIN}/used-at`,
} as const;

const PLAIN_VM = /^vm-[a-z0-9]([-a-z0-9]{0,36}[a-z0-9])?$/;
const PLAIN_LABEL = /^[a-z0-9]([-a-z0-9_.]{0,38}[a-z0-9])?$/;

export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 20);
}

/** Of a Pod and of the workspace beside it. One per VM, not per epoch: that the API server allows a name once is what excludes two Pods of one VM. */
export function objectName(vmId: string): string {
  // A hashed name has a second prefix that no plain id can have in its place.
  return PLAIN_VM.test(vmId) ? `plexus-${vmId}` : `plexus-hashed-${shortHash(vmId)}`;
}

/** Of the Secret of one incarnation. */
export function secretName(vmId: string, epoch: number): string {
  return `${objectName(vmId)}-e${epoch}`;
}

/** Any text as a label value: itself where it is allowed and short, else a hash that cannot be mistaken for one. */
export function labelValue(text: string): string {
  return PLAIN_LABEL.test(text) && !text.startsWith('sha-') ? text : `sha-${shortHash(text)}`;
}

/** Who a tenant is must not be readable from labels. */
export function tenantLabel(tenant: string): string {
  return `t-${shortHash(tenant)}`;
}

/** `key=value,…` of a label selector. */
export function selector(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}
