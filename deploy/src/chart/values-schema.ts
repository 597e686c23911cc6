import type { z } from 'zod';
import {
  flag,
  hosts,
  key,
  labels,
  name,
  oneOf,
  optionalKey,
  pairs,
  passthrough,
  passthroughs,
  type Schema,
  strict,
  text,
  texts,
  whole,
} from './json-schema.js';
import { isSettable } from './owned-variables.js';
import { settingSchema } from './service-settings.js';
import { backup, image, jobs, monitor, opening, workload } from './workload-schema.js';

/** A Secret of yours. Nothing secret is ever in values, and none is made by the chart. */
const secret = (description: string, hasPrevious = false): Schema =>
  strict(description, {
    existingSecret: name('Name of the Secret; empty: none.'),
    key: key('Key in it.'),
    ...(hasPrevious && { previousKey: optionalKey('Key of the one used before, while they are exchanged; empty: none.') }),
  });

const nats = strict('The NATS cluster, which is yours: 2.9 or newer, with JetStream.', {
  url: text('Servers, separated by commas. tls:// for TLS.', { pattern: '^(nats|tls|ws|wss)://[^ ,]+(,(nats|tls|ws|wss)://[^ ,]+)*$' }),
  credentials: strict('One nkey for each role, as `plexus nats accounts` writes them. Mounted as files and read at every connect: rotation needs no restart.', {
    existingSecret: name('Secret with a key for each role: gateway.nk, routing.nk, …, operator.nk for the hooks. Empty: no credentials.'),
    keySuffix: text(
      'What follows the role in the names of the keys; with `.creds` they are credentials files of accounts that an operator manages, else nkey seeds.',
    ),
    allowNone: flag('Take a production without credentials: whoever reaches port 4222 may then do anything. For trying it out.'),
  }),
  tls: strict('TLS to NATS.', {
    existingSecret: name('Secret with the authority; empty: the servers need no certificate of yours.'),
    caKey: key('Key of the authority.'),
    clientCertificate: flag('Show a certificate of ours.'),
    certKey: key('Key of our certificate.'),
    keyKey: key('Key of its key.'),
  }),
  monitoring: strict('Where KEDA reads the lag of consumers.', {
    endpoint: text('host:port of the monitoring port.'),
    account: text('Account of Plexus in NATS. Default: PLEXUS with credentials, as `plexus nats accounts` writes it; $G without.'),
    https: flag('It has TLS.'),
  }),
  plan: strict(
    '`plexus nats apply` before each installation and upgrade: streams, consumers and buckets as the contracts declare them. Never deletes messages.',
    {
      enabled: flag('Run it. false: run it yourself, services refuse to start without.'),
      replicas: whole('Copies of each stream; as many servers must exist.', 1, 5),
      maxBytes: whole('Cap on each stream and bucket, in bytes; 0: as declared.', 0),
    },
  ),
});

const vms = strict('Where the scheduler starts VMs of users.', {
  provider: {
    type: 'array',
    description: 'kubernetes: Pods; external: somebody else starts runtimes. Templates may name theirs, the first is the default.',
    items: { enum: ['kubernetes', 'external'] },
    minItems: 1,
    uniqueItems: true,
  },
  namespace: text('Namespace of the Pods of VMs; not that of the release. With namespacePerTenant: what the names begin with.', {
    pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
    maxLength: 63,
  }),
  createNamespace: flag('Make it (Pod Security restricted, everything denied) and keep it when the release goes.'),
  namespacePerTenant: flag('A namespace for each tenant. Needs rights in the whole cluster.'),
  image: image('Image of the runtime.'),
  imagePullSecrets: texts('Pull secrets in the namespace of VMs.'),
  gatewayUrl: text('Address of a gateway as VMs see it; default: that of this release inside the cluster.', { pattern: '^$|^wss?://' }),
  templates: passthrough('Content of VM_TEMPLATES_FILE: {templates: […], pools: […]}, see the README of the scheduler.'),
  networkPolicyEnforced: flag('The network plugin of this cluster enforces policies. Policies are made in any case; this says what VMs are promised.'),
});

const networkPolicy = strict('Everything is denied; these are the openings.', {
  enabled: flag('Make policies.'),
  ingress: strict('Who may come in.', {
    clients: passthroughs('To the gateway and channels: peers of your ingress controller. Empty: everybody.'),
    metrics: passthroughs('To the internal port: peers of your Prometheus. Empty: every Pod of the cluster.'),
  }),
  egress: strict('Where services may go; which service has which opening is in files/services.yaml.', {
    dns: opening('All: name servers.'),
    nats: opening('All: NATS.'),
    postgres: opening('routing, push, memory, scheduler and the migrations: Postgres.'),
    kubernetesApi: opening('scheduler: the API server. Name its addresses where your plugin sees them.'),
    otlp: opening('All, where telemetry.otlpEndpoint is set: the collector.'),
    embedder: opening('memory: the endpoint that makes vectors.'),
    internet: opening('push, channels and scheduler (MCP servers, models): public addresses.'),
    issuers: opening('gateway: where keys of OpenID issuers are read. Closed unless ports are named.'),
  }),
});

function settings(service: string, schema: z.ZodObject): Schema {
  const entries = Object.entries(schema.shape).filter(([variable]) => isSettable(variable));
  return strict(
    `Settings of ${service}, by variable. Those that the chart decides are not among them.`,
    Object.fromEntries(entries.map(([variable, field]) => [variable, { ...settingSchema(field as z.ZodType) }])),
  );
}

/** As `defaults`, by reference, but with settings of its own. */
function service(name: string, schema: z.ZodObject): Schema {
  const shared = Object.keys(workload({}).properties ?? {}).map((key) => [key, { $ref: `#/properties/defaults/properties/${key}` }] as const);
  return strict(`Values of ${name}, over defaults.`, { ...Object.fromEntries(shared), settings: settings(name, schema) });
}

/** The schema of the chart's values; what services take under `settings` comes from their own declarations. */
export function valuesSchema(services: ReadonlyMap<string, z.ZodObject>): Schema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of the plexus chart',
    ...strict('Values of the plexus chart.', {
      nameOverride: text('Instead of the name of the chart.', { pattern: '^([a-z]([-a-z0-9]*[a-z0-9])?)?$', maxLength: 40 }),
      fullnameOverride: text('Instead of <release>-plexus.', { pattern: '^([a-z]([-a-z0-9]*[a-z0-9])?)?$', maxLength: 40 }),
      commonLabels: labels('Further labels of everything.'),
      commonAnnotations: pairs('Further annotations of everything.'),
      global: strict('Of a chart that contains this one.', {
        imageRegistry: text('Registry of all images, whatever else says.'),
        imagePullSecrets: texts('Names of pull secrets of all Pods.'),
      }),
      image: strict('Where images are, unless a service says otherwise.', {
        registry: text('Host of the registry.'),
        repository: text('Path in it; the program follows: plexus/gateway.'),
        tag: text('Default: the version of the chart.'),
        pullPolicy: oneOf('When images are pulled.', ['IfNotPresent', 'Always', 'Never']),
      }),
      nodeEnv: oneOf('production refuses weak secrets.', ['production', 'development']),
      logLevel: oneOf('Lowest level that is logged.', ['trace', 'debug', 'info', 'warn', 'error', 'fatal']),
      cluster: text('Marks the VMs of this mesh; must never change. Default: <namespace>.<name>.', { pattern: '^[A-Za-z0-9._:-]{0,128}$' }),
      nats,
      postgres: strict('Postgres 15 or newer, which is yours; memory needs pgvector for vectors.', {
        existingSecret: name('Secret with the URLs. sslmode=verify-full in them for TLS.'),
        urlKey: key('Key of the URL for routing, push and scheduler.'),
        memoryUrlKey: key('Key of the URL for memory; may lead to the same database.'),
        ca: secret('Authority of its certificate, for sslmode=verify-full.'),
      }),
      migrations: strict('`plexus db migrate` before each installation and upgrade. New migrations leave the running version working.', {
        enabled: flag('Run it. false: run it yourself, services refuse to start without.'),
        existingSecret: name('Secret with URLs of a user that may change tables, under the same keys; default: that of postgres.'),
      }),
      platform: strict('Which tenants exist: `plexus platform apply` after the stream plan.', {
        apply: flag('Write it at each installation and upgrade. false: it is kept by hand.'),
        document: passthrough('The document {tenants: {…}}; keys in it are public ones, tokens are digests.'),
      }),
      jobs,
      backup,
      tests: strict('What `helm test` does besides looking at the stream plan.', {
        token: secret(
          'A user of this mesh (operator.read, operator.write), as whom one event is published and seen to arrive. Empty: only the plan is looked at.',
        ),
      }),
      secrets: strict('Secrets of Plexus, mounted as files. All are yours; the chart makes none.', {
        masterKey: secret('32 random bytes or more: wraps keys of tenants at rest (memory, scheduler, push).', true),
        vmToken: secret('32 random bytes or more: signs the tokens of VMs (scheduler).', true),
        gatewayToken: secret('A shared token for one user; most meshes have none and give each user a signed one.'),
        embeddingKey: secret('Key of the endpoint that makes vectors (memory).'),
        modelKey: secret('Key of the default model endpoint, handed to runtimes (scheduler). The only one that is a variable.'),
      }),
      internal: strict('The listener for probes and metrics; never on an ingress.', {
        host: text('Address; :: for IPv6.'),
        port: whole('Port.', 1_024, 65_535),
      }),
      telemetry: strict('Traces.', {
        otlpEndpoint: text('OTLP/HTTP collector; empty: traces are not exported. Its port must be open in networkPolicy.egress.otlp.', {
          pattern: '^$|^https?://',
        }),
        sampleRatio: { type: 'number', description: 'Share of new traces that is recorded.', minimum: 0, maximum: 1 },
      }),
      vms,
      defaults: workload(strict('Settings are given for each service.', {})),
      services: strict('Values of each service, over defaults.', Object.fromEntries([...services].map(([name, schema]) => [name, service(name, schema)]))),
      networkPolicy,
      ingress: strict('An Ingress to the gateway, and to channels that platforms call.', {
        enabled: flag('Make one.'),
        className: text('Class of the ingress controller.'),
        hosts: hosts('Host names.'),
        tls: passthroughs('Certificates: [{hosts: […], secretName: …}].'),
        idleTimeoutSeconds: whole('How long a socket may be silent (annotations of ingress-nginx; other controllers: annotations). Pings go every 25 s.', 60),
        annotations: pairs('Further annotations.'),
      }),
      gatewayApi: strict('An HTTPRoute of the Gateway API, instead of an Ingress.', {
        enabled: flag('Make one.'),
        parentRefs: passthroughs('The Gateway: [{name, namespace, sectionName}].'),
        hostnames: hosts('Host names.'),
        annotations: pairs('Further annotations.'),
      }),
      monitoring: strict('For the Prometheus operator and Grafana.', {
        podMonitor: monitor('PodMonitor'),
        serviceMonitor: monitor('ServiceMonitor'),
        rules: strict('A PrometheusRule with the alerts.', {
          enabled: flag('Make one.'),
          labels: pairs('By which your Prometheus finds it.'),
          runbookUrl: text('Page with the runbooks; alerts link to their heading. Empty: as the alert says.'),
        }),
        dashboards: strict('Dashboards of Grafana as ConfigMaps.', {
          enabled: flag('Make them.'),
          labels: pairs('By which the sidecar of Grafana finds them.'),
          annotations: pairs('For its folder.'),
        }),
      }),
      extraManifests: {
        type: 'array',
        description: 'Further objects, as maps or as text with templates.',
        items: { type: ['object', 'string'] },
      },
    }),
  };
}
