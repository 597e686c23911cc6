import { z } from 'zod';

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** A JSON value in a variable, checked by `schema`. */
const json = <T extends z.ZodType>(schema: T, fallback: string, description: string) =>
  z
    .string()
    .default(fallback)
    .transform((text, context) => {
      try {
        return JSON.parse(text) as unknown;
      } catch (error) {
        context.addIssue({ code: 'custom', message: `is no JSON: ${(error as Error).message}` });
        return z.NEVER;
      }
    })
    .pipe(schema)
    .describe(description);

const flag = (description: string) =>
  z
    .enum(['0', '1'])
    .default('0')
    .transform((value) => value === '1')
    .describe(description);

/** Whom VMs may talk to: Pods by their labels in a namespace by its name, or a range of addresses. */
export const networkPeer = z.union([
  z.strictObject({ namespace: z.string().regex(label), podLabels: z.record(z.string(), z.string()).default({}) }),
  z.strictObject({ cidr: z.union([z.cidrv4(), z.cidrv6()]) }),
]);
export type NetworkPeer = z.output<typeof networkPeer>;

const port = z.number().int().min(1).max(65_535);
const opening = z.strictObject({ to: networkPeer, ports: z.array(port).min(1) });
const toleration = z.strictObject({
  key: z.string().optional(),
  operator: z.enum(['Exists', 'Equal']).optional(),
  value: z.string().optional(),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
  tolerationSeconds: z.number().int().optional(),
});

/** Settings of the Kubernetes provider. */
export const kubernetesSettings = z.object({
  KUBERNETES_KUBECONFIG: z.string().min(1).optional().describe('Kubeconfig file. Default: the service account of the Pod in which the scheduler runs.'),
  KUBERNETES_CONTEXT: z.string().min(1).optional().describe('Context of that file. Default: its current one.'),
  KUBERNETES_SERVICE_HOST: z.string().optional().describe('Set by Kubernetes in every Pod: address of its API server.'),
  KUBERNETES_SERVICE_PORT: z.string().optional().describe('Set by Kubernetes in every Pod: port of its API server.'),
  KUBERNETES_NAMESPACE: z
    .string()
    .max(63)
    .regex(label, { error: 'must be the name of a namespace' })
    .default('plexus-vms')
    .describe('Namespace of the VMs; it must exist. With KUBERNETES_NAMESPACE_PER_TENANT: what the names of the namespaces begin with.'),
  KUBERNETES_NAMESPACE_PER_TENANT: flag('1: a namespace for each tenant, made when first needed. Needs rights in the whole cluster.'),
  KUBERNETES_IMAGE: z.string().min(1).optional().describe('Image of the runtime, best with a digest. It must have /bin/sh. Required.'),
  KUBERNETES_COMMAND: json(
    z.array(z.string().min(1)).min(1),
    '["node","/app/services/runtime/dist/src/main.js"]',
    'Command of the runtime in the image, as JSON; it finds the secrets on its stdin, and in the file that PLEXUS_BOOTSTRAP_FILE names.',
  ),
  KUBERNETES_IMAGE_PULL_SECRETS: json(z.array(z.string().regex(/^[a-z0-9.-]{1,253}$/)), '[]', 'Names of Secrets for the registry, as JSON.'),
  KUBERNETES_SERVICE_ACCOUNT: z
    .string()
    .regex(/^[a-z0-9.-]{1,253}$/)
    .optional()
    .describe('Service account of VMs; its token is never mounted. Default: the one of the namespace.'),
  KUBERNETES_CONTROL_PLANE_WS: z
    .string()
    .regex(/^wss?:\/\/\S+$/, { error: 'must be a ws:// or wss:// URL' })
    .optional()
    .describe('Address of the gateway as Pods see it. Default: CONTROL_PLANE_WS.'),
  KUBERNETES_GATEWAY: json(
    z.array(networkPeer),
    '[]',
    'Where gateways run, for the network policy, as JSON: [{"namespace":"plexus","podLabels":{"app.kubernetes.io/component":"gateway"}}] or [{"cidr":"10.0.0.7/32"}]. Required.',
  ),
  KUBERNETES_GATEWAY_PORT: z.coerce
    .number()
    .int()
    .min(1)
    .max(65_535)
    .optional()
    .describe('Port of the gateway Pods (not of the Service in front of them). Default: the one in the address.'),
  KUBERNETES_DNS: json(
    z.array(networkPeer).min(1),
    '[{"namespace":"kube-system","podLabels":{"k8s-app":"kube-dns"}}]',
    'Name servers, for the network policy, as JSON.',
  ),
  KUBERNETES_EGRESS: json(z.array(opening), '[]', 'Further openings, as JSON: [{"to":{"cidr":"10.1.2.3/32"},"ports":[8080]}], for example the model endpoint.'),
  KUBERNETES_INTERNET: flag('1: VMs whose template says nothing may use public addresses too, never private ones.'),
  KUBERNETES_NETWORK_POLICY_ENFORCED: flag(
    '1: the network plugin of this cluster enforces network policies. They are made in any case; this says what may be promised.',
  ),
  KUBERNETES_WORKSPACE: z
    .enum(['pvc', 'ephemeral'])
    .default('pvc')
    .describe('pvc: a PersistentVolumeClaim for each VM, kept over pauses. ephemeral: gone with the Pod.'),
  KUBERNETES_WORKSPACE_MIB: z.coerce.number().int().min(16).default(1_024).describe('Size of a workspace.'),
  KUBERNETES_STORAGE_CLASS: z.string().min(1).optional().describe('Storage class of workspaces. Default: the one of the cluster.'),
  KUBERNETES_SCRATCH_MIB: z.coerce.number().int().min(16).default(256).describe('Size of /tmp, which is the only other writable place.'),
  KUBERNETES_CPU_MILLIS: z.coerce.number().int().min(50).default(1_000).describe('Thousandths of a core that a VM may use; a quarter of it is reserved.'),
  KUBERNETES_MEMORY_MIB: z.coerce.number().int().min(64).default(1_024).describe('Memory of a VM, reserved in full.'),
  KUBERNETES_USER: z.coerce.number().int().min(1).max(4_294_967_294).default(10_001).describe('User and group id inside; never 0.'),
  KUBERNETES_NODE_SELECTOR: json(z.record(z.string(), z.string()), '{}', 'Labels of nodes that may run VMs, as JSON.'),
  KUBERNETES_TOLERATIONS: json(z.array(toleration), '[]', 'Taints that VMs tolerate, as JSON.'),
  KUBERNETES_ISOLATION: z.enum(['container', 'microvm']).default('container').describe('What every VM gets at least. microvm needs a runtime class.'),
  KUBERNETES_MICROVM_RUNTIME_CLASS: z
    .string()
    .regex(/^[a-z0-9.-]{1,253}$/)
    .optional()
    .describe('Runtime class that starts a machine of its own (Kata, for example).'),
  KUBERNETES_UNREACHABLE: z
    .enum(['wait', 'never'])
    .default('wait')
    .describe('A Pod whose node does not confirm its end. wait: removed by force after KUBERNETES_UNREACHABLE_MS. never: only a person does that.'),
  KUBERNETES_UNREACHABLE_MS: z.coerce
    .number()
    .int()
    .min(60_000)
    .default(300_000)
    .describe('How long after the end of its grace; fencing must have stopped its tools long before.'),
});
export type KubernetesSettings = z.output<typeof kubernetesSettings>;
