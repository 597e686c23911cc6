import { z } from 'zod';
import type { KubernetesObject } from './helm.js';

const GROUPS: Readonly<Record<string, string>> = {
  v1: 'CoreV1',
  'apps/v1': 'AppsV1',
  'batch/v1': 'BatchV1',
  'policy/v1': 'PolicyV1',
  'autoscaling/v2': 'AutoscalingV2',
  'networking.k8s.io/v1': 'NetworkingV1',
  'rbac.authorization.k8s.io/v1': 'RbacV1',
};

type Validate = ((data: unknown, context?: object) => boolean) & { errors?: readonly { instancePath: string; keyword: string; params: object }[] | null };

/**
 * What the schemas of Kubernetes say against an object, keys that they do not know included: a server drops those without a word. The generated
 * validators ask an object only for what they know, so a key that nobody asked for is one that does not exist.
 */
export async function problemsOf(object: KubernetesObject): Promise<string[]> {
  const custom = CUSTOM[object.kind];
  if (custom !== undefined) return custom.safeParse(object).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];
  const group = GROUPS[object.apiVersion];
  if (group === undefined) return [`${object.apiVersion} is not known`];
  const { validate } = (await import(`kubernetes-models/_schemas/IoK8sApi${group}${object.kind}`)) as { validate: Validate };
  const watch = new Watch();
  const valid = validate(watch.over(object, ''));
  const errors = valid ? [] : (validate.errors ?? []).map(({ instancePath, keyword, params }) => `${instancePath}: ${keyword} ${JSON.stringify(params)}`);
  return [...errors, ...watch.unasked()];
}

/** Remembers which keys of an object somebody asked for. */
class Watch {
  private readonly seen: { readonly path: string; readonly target: object; readonly asked: Set<string>; all: boolean }[] = [];

  over(target: object, path: string): object {
    const entry = { path, target, asked: new Set<string>(), all: Array.isArray(target) };
    this.seen.push(entry);
    const children = new Map<string, object>();
    return new Proxy(target, {
      get: (from, key) => {
        const value = Reflect.get(from, key) as unknown;
        if (typeof key !== 'string') return value;
        entry.asked.add(key);
        if (typeof value !== 'object' || value === null) return value;
        const child = children.get(key) ?? this.over(value, `${path}/${key}`);
        children.set(key, child);
        return child;
      },
      // Maps of labels and the like: every key is allowed, each value is looked at.
      ownKeys: (from) => {
        entry.all = true;
        return Reflect.ownKeys(from);
      },
    });
  }

  unasked(): string[] {
    return this.seen
      .filter(({ all, asked }) => !all && asked.size > 0)
      .flatMap(({ path, target, asked }) => Object.keys(target).flatMap((key) => (asked.has(key) ? [] : [`${path}/${key}: there is no such key`])));
  }
}

const metadata = z.strictObject({
  name: z.string().regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/),
  namespace: z.string(),
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()).optional(),
});
const object = (apiVersion: string, spec: z.ZodType) => z.strictObject({ apiVersion: z.literal(apiVersion), kind: z.string(), metadata, spec });
const selector = z.strictObject({
  matchLabels: z.record(z.string(), z.string()),
  matchExpressions: z.array(z.strictObject({ key: z.string(), operator: z.enum(['In', 'NotIn', 'Exists']), values: z.array(z.string()) })).optional(),
});
const endpoint = z.strictObject({ port: z.string(), path: z.string().startsWith('/'), interval: z.string().regex(/^\d+s$/) });
const jetStreamTrigger = z.strictObject({
  type: z.literal('nats-jetstream'),
  metadata: z.strictObject({
    natsServerMonitoringEndpoint: z.string().regex(/^[^/:]+:\d+$/),
    account: z.string().min(1),
    stream: z.string().startsWith('PLEXUS_'),
    consumer: z.string().min(1),
    lagThreshold: z.string().regex(/^\d+$/),
    activationLagThreshold: z.string().regex(/^\d+$/),
    useHttps: z.enum(['true', 'false']),
  }),
});

/** Kinds of others that the chart writes, as their documentation has them. */
const CUSTOM: Readonly<Record<string, z.ZodType>> = {
  ScaledObject: object(
    'keda.sh/v1alpha1',
    z.strictObject({
      scaleTargetRef: z.strictObject({ apiVersion: z.string(), kind: z.string(), name: z.string() }),
      minReplicaCount: z.int(),
      maxReplicaCount: z.int(),
      pollingInterval: z.int(),
      cooldownPeriod: z.int(),
      advanced: z.strictObject({ horizontalPodAutoscalerConfig: z.strictObject({ behavior: z.looseObject({}) }) }).optional(),
      triggers: z.array(z.union([jetStreamTrigger, z.strictObject({ type: z.literal('cron'), metadata: z.record(z.string(), z.string()) })])).min(1),
    }),
  ),
  PodMonitor: object(
    'monitoring.coreos.com/v1',
    z.strictObject({ selector, podTargetLabels: z.array(z.string()), podMetricsEndpoints: z.array(endpoint).min(1) }),
  ),
  ServiceMonitor: object('monitoring.coreos.com/v1', z.strictObject({ selector, podTargetLabels: z.array(z.string()), endpoints: z.array(endpoint).min(1) })),
  PrometheusRule: object(
    'monitoring.coreos.com/v1',
    z.strictObject({
      groups: z.array(z.strictObject({ name: z.string(), interval: z.string().optional(), rules: z.array(z.looseObject({ expr: z.string() })) })),
    }),
  ),
  HTTPRoute: object(
    'gateway.networking.k8s.io/v1',
    z.strictObject({
      parentRefs: z.array(z.strictObject({ name: z.string(), namespace: z.string().optional(), sectionName: z.string().optional() })).min(1),
      hostnames: z.array(z.string()),
      rules: z.array(
        z.strictObject({
          matches: z.array(z.strictObject({ path: z.strictObject({ type: z.literal('PathPrefix'), value: z.string() }) })),
          backendRefs: z.array(z.strictObject({ name: z.string(), port: z.int() })),
          timeouts: z.strictObject({ request: z.string(), backendRequest: z.string() }),
        }),
      ),
    }),
  ),
};
