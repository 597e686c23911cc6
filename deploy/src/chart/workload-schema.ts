import { flag, labels, name, oneOf, optionalKey, pairs, passthrough, passthroughs, quantity, type Schema, share, strict, text, whole } from './json-schema.js';

export const image = (description: string): Schema =>
  strict(description, {
    registry: text('Host of the registry; global.imageRegistry wins.'),
    repository: text('Path in it. Default: image.repository and the name of the program.'),
    tag: text('Default: image.tag, else the version of the chart.'),
    digest: text('Wins over the tag. The only thing that cannot be changed behind your back.', { pattern: '^$|^sha256:[0-9a-f]{64}$' }),
  });

export const resources: Schema = strict('Requests and limits, as Kubernetes writes them. No limit on CPU: it only makes slow what could be fast.', {
  requests: passthrough('What is reserved.'),
  limits: passthrough('What ends it.'),
  claims: passthroughs('Claims of other resources.'),
});

const autoscaling = strict('Who decides how many replicas run. One of them, never two.', {
  mode: oneOf('none: replicas; hpa: a HorizontalPodAutoscaler; keda: a ScaledObject of KEDA, which makes its own.', ['none', 'hpa', 'keda']),
  minReplicas: whole('At least so many. 0 (keda only): calls fail until one is up.', 0, 1_000),
  maxReplicas: whole('At most so many.', 1, 1_000),
  cpuPercent: whole('hpa: CPU in percent of the request; 0: not by CPU.', 0, 1_000),
  connections: whole('hpa: open connections of one replica (metric plexus_connections, which needs an adapter for custom metrics); 0: not by them.', 0),
  metrics: passthroughs('hpa: further metrics, as autoscaling/v2 writes them.'),
  behavior: passthrough('How fast up and down, as autoscaling/v2 writes it.'),
  lag: whole('keda: messages that may wait for one replica, for each consumer that the contracts declare for this service.', 1),
  pollingInterval: whole('keda: seconds between two looks.', 1),
  cooldownPeriod: whole('keda: seconds of nothing to do before the last replica goes (minReplicas 0).', 0),
  triggers: passthroughs('keda: further triggers.'),
});

/** What can be said about every service; `settings` are the variables of one. */
export function workload(settings: Schema): Schema {
  return strict('Values of a service.', {
    enabled: flag('Run it.'),
    replicas: whole('How many, unless an autoscaler decides.', 0, 1_000),
    image: image('Another image than image says.'),
    settings,
    resources,
    autoscaling,
    podDisruptionBudget: strict('How many may be away when nodes are drained. Made where more than one replica runs.', {
      enabled: flag('Make one.'),
      maxUnavailable: share('How many at once; with none a node could never be drained.'),
    }),
    topologySpread: strict('Over zones and nodes.', {
      enabled: flag('Spread.'),
      whenUnsatisfiable: oneOf('ScheduleAnyway: as well as it goes.', ['ScheduleAnyway', 'DoNotSchedule']),
    }),
    service: strict('The Service in front of it, for those that have clients.', {
      type: oneOf('Kind of Service.', ['ClusterIP', 'NodePort', 'LoadBalancer']),
      port: whole('Its port.', 1, 65_535),
      annotations: pairs('Of the Service, for load balancers of clouds: set their idle timeout above 60 s.'),
    }),
    serviceAccount: strict('Its service account. Only that of the scheduler has a token, and rights in the namespace of the VMs.', {
      create: flag('Make one.'),
      name: name('Its name, or that of one that exists.'),
      annotations: pairs('For identities of clouds.'),
    }),
    database: strict('A database user of its own, instead of that of postgres. It must lead to the same database.', {
      existingSecret: name('Secret with a postgresql:// URL.'),
      key: optionalKey('Key in it.'),
    }),
    priorityClassName: text('Priority class.'),
    nodeSelector: pairs('Labels of nodes.'),
    tolerations: passthroughs('Taints that it tolerates.'),
    affinity: passthrough('Affinity.'),
    minReadySeconds: whole('A new replica must be ready for so long before the next is replaced.', 0),
    maxSurge: share('Replicas beyond the number while rolling; none is taken away before its successor is ready.'),
    revisionHistoryLimit: whole('Old versions kept for a rollback.', 0),
    runAsUser: {
      ...whole(
        'User, group and fsGroup; never 0. null: none is named, and the cluster gives them (OpenShift, whose SCC restricted-v2 refuses any of ours).',
        1,
        4_294_967_294,
      ),
      type: ['integer', 'null'],
    },
    tmpSize: quantity('Size of /tmp, which is the only writable place.'),
    podLabels: labels('Further labels of its Pods.'),
    podAnnotations: pairs('Further annotations of its Pods.'),
    extraEnv: passthroughs('Further variables, for example secrets that the configuration of tenants refers to. What the chart sets is refused.'),
    extraVolumes: passthroughs('Further volumes.'),
    extraVolumeMounts: passthroughs('Where they are mounted.'),
    extraContainers: passthroughs('Containers beside it.'),
    initContainers: passthroughs('Containers before it.'),
    extraIngress: passthroughs('Further rules of its network policy, inwards.'),
    extraEgress: passthroughs('Further rules of its network policy, outwards: model endpoints, MCP servers, mail servers inside the cluster.'),
    nativeSleepSeconds: whole(
      'Kubernetes waits so long before it says SIGTERM (preStop sleep, needs 1.30). The services wait by themselves (see termination), so 0 is right.',
      0,
      300,
    ),
    merge: strict('Merged into the object of that kind before it is written: maps are merged, lists and values replaced. For what has no value here.', {
      deployment: passthrough('Into the Deployment.'),
      service: passthrough('Into the Service.'),
      serviceAccount: passthrough('Into the ServiceAccount.'),
      podDisruptionBudget: passthrough('Into the PodDisruptionBudget.'),
      autoscaler: passthrough('Into the HorizontalPodAutoscaler or ScaledObject.'),
      networkPolicy: passthrough('Into the NetworkPolicy.'),
    }),
  });
}

export const opening = (description: string): Schema =>
  strict(description, {
    to: passthroughs('Peers, as network policies write them; empty: any address.'),
    ports: { type: 'array', description: 'TCP ports; empty: closed.', items: { type: 'integer', minimum: 1, maximum: 65_535 } },
  });

export const monitor = (kind: string): Schema =>
  strict(`A ${kind} of the Prometheus operator.`, {
    enabled: flag('Make one.'),
    interval: text('How often.', { pattern: '^[0-9]+(ms|s|m|h)$' }),
    labels: pairs('By which your Prometheus finds it.'),
  });

export const jobs: Schema = strict('The hooks before an installation or upgrade.', {
  backoffLimit: whole('Attempts.', 0),
  activeDeadlineSeconds: whole('Longest time of one.', 1),
  ttlSecondsAfterFinished: whole('How long a finished one can be looked at.', 0),
  resources,
  podAnnotations: pairs('Of their Pods.'),
  podLabels: labels('Of their Pods.'),
  image: image('Another image of the plexus command.'),
});

export const backup: Schema = strict('A CronJob that runs `plexus backup create` onto a volume of yours. How to put one back: docs/guides/backup.md.', {
  enabled: flag('Make it.'),
  existingClaim: name('PersistentVolumeClaim in the namespace of the release on which backups lie.'),
  schedule: text('When, as in a crontab, in the time zone of the cluster.', {
    pattern: '^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|[^ ]+( [^ ]+){4})$',
  }),
  keep: whole('How many backups are kept; the oldest go.', 1),
  existingSecret: name(
    'Secret with URLs of a user that sees every row (BYPASSRLS: the tables of memory hide rows from everybody else), under the same keys; default: that of the migrations.',
  ),
  activeDeadlineSeconds: whole('Longest time of one.', 60),
  resources,
});
