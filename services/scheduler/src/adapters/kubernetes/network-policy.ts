import type { V1NetworkPolicy, V1NetworkPolicyEgressRule, V1NetworkPolicyPeer } from '@kubernetes/client-node';
import { stableStringify } from '@plexus/kernel';
import { ANNOTATIONS, LABELS, labelValue, shortHash } from './names.js';
import type { NetworkOptions } from './options.js';
import type { NetworkPeer } from './settings.js';

export type Network = 'mesh' | 'internet';

/** What is not public: private, shared, link-local (and with it the metadata services of clouds), loopback, test, multicast and reserved ranges. */
const NOT_PUBLIC_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/4',
  '240.0.0.0/4',
];
const NOT_PUBLIC_V6 = ['::1/128', '::ffff:0:0/96', '64:ff9b::/96', 'fc00::/7', 'fe80::/10', 'ff00::/8'];

const DNS_PORT = 53;

/**
 * The policy of all VMs with the same openings: nothing comes in, and out only to gateways, name servers and what is named. Its name holds the
 * hash of what it says, so a change of settings makes a new one beside the old, and a Pod keeps the one it was made with.
 */
export function networkPolicy(network: Network, options: NetworkOptions, cluster: string): V1NetworkPolicy {
  const egress: V1NetworkPolicyEgressRule[] = [
    rule(options.gateway, [['TCP', options.gatewayPort]]),
    rule(options.dns, [
      ['UDP', DNS_PORT],
      ['TCP', DNS_PORT],
    ]),
    ...options.openings.map(({ to, ports }) =>
      rule(
        [to],
        ports.map((port) => ['TCP', port]),
      ),
    ),
    ...(network === 'internet'
      ? [{ to: [{ ipBlock: { cidr: '0.0.0.0/0', except: NOT_PUBLIC_V4 } }, { ipBlock: { cidr: '::/0', except: NOT_PUBLIC_V6 } }] }]
      : []),
  ];
  const label = `${network}-${shortHash(stableStringify({ egress, cluster }))}`;
  const clusterLabel = labelValue(cluster);
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: {
      name: `plexus-${label}`,
      labels: { [LABELS.cluster]: clusterLabel, [LABELS.network]: label, [LABELS.managedBy]: 'plexus-scheduler' },
      annotations: { [ANNOTATIONS.cluster]: cluster },
    },
    spec: {
      podSelector: { matchLabels: { [LABELS.cluster]: clusterLabel, [LABELS.network]: label } },
      policyTypes: ['Ingress', 'Egress'],
      egress,
    },
  };
}

function rule(peers: readonly NetworkPeer[], ports: readonly (readonly [string, number])[]): V1NetworkPolicyEgressRule {
  return { to: peers.map(peerOf), ports: ports.map(([protocol, port]) => ({ protocol, port })) };
}

function peerOf(peer: NetworkPeer): V1NetworkPolicyPeer {
  if ('cidr' in peer) return { ipBlock: { cidr: peer.cidr } };
  return {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': peer.namespace } },
    podSelector: Object.keys(peer.podLabels).length === 0 ? {} : { matchLabels: peer.podLabels },
  };
}

/** True when the policy in the cluster says what ours says; somebody may have edited it. */
export function saysTheSame(found: V1NetworkPolicy, wanted: V1NetworkPolicy): boolean {
  // The server leaves out what is empty.
  const plain = ({ spec }: V1NetworkPolicy): string => {
    const { ingress, ...rest } = spec ?? {};
    return stableStringify(JSON.parse(JSON.stringify(ingress === undefined || ingress.length === 0 ? rest : { ...rest, ingress })));
  };
  return plain(found) === plain(wanted);
}
