import { CONSUMERS } from '@plexus/contracts';
import { isSettable, OF_THE_PROCESS, SET_BY_CHART } from '../src/chart/owned-variables.js';
import { serviceSettings } from '../src/chart/service-settings.js';
import { helmBinary, type KubernetesObject, lint, NAMESPACE, RELEASE, render, renderText } from './support/helm.js';
import { problemsOf } from './support/kubernetes-schemas.js';
import { containersOf, type Pod, podsOf, selects, variablesOf, workloads } from './support/pods.js';
import { type Facts, readFacts, readText, root, VALUE_FILES, valuesFile } from './support/repository.js';

const suite = helmBinary() === undefined ? describe.skip : describe;
const facts = readFacts();
/** Kinds of volumes that the SCC restricted-v2 of OpenShift admits, of those that the chart could use. */
const SCC_VOLUMES = /^(configMap|emptyDir|persistentVolumeClaim|projected|secret)$/;

suite('the chart, rendered by Helm', () => {
  const rendered = new Map<string, KubernetesObject[]>();
  const objects = (name: string): KubernetesObject[] => rendered.get(name) as KubernetesObject[];
  beforeAll(async () => {
    for (const name of VALUE_FILES) rendered.set(name, await render(name));
  });

  it.each(VALUE_FILES)('%s passes helm lint --strict', async (name) => {
    expect(await lint(name)).toMatchObject({ ok: true });
  });

  it('is, with its defaults, what was reviewed (golden/default.yaml says how to renew it)', async () => {
    const [header, ...golden] = readText('deploy/test/golden/default.yaml').split('\n---\n');
    expect(header).toContain('helm template');
    expect(await renderText('--values', valuesFile('default'))).toBe(`---\n${golden.join('\n---\n')}`);
  });

  describe.each(VALUE_FILES)('%s', (name) => {
    it('holds objects that Kubernetes knows, without a key that it would drop', async () => {
      for (const object of objects(name)) {
        expect({ kind: object.kind, name: object.metadata.name, problems: await problemsOf(object) }).toMatchObject({ problems: [] });
      }
    });

    it('has no name twice, and every object in a namespace that is named', () => {
      const keys = objects(name).map(({ kind, metadata }) => `${kind}/${metadata.namespace ?? ''}/${metadata.name}`);
      expect(new Set(keys).size).toBe(keys.length);
      const clusterWide = ['Namespace', 'ClusterRole', 'ClusterRoleBinding'];
      expect(
        objects(name)
          .filter(({ kind, metadata }) => !clusterWide.includes(kind) && metadata.namespace === undefined)
          .map(({ kind }) => kind),
      ).toEqual(
        name === 'production' ? ['ConfigMap', 'ConfigMap'] : [], // extraManifests are written as they are given
      );
    });

    it('has Pods that pass Pod Security "restricted", with a read-only root and limits', () => {
      for (const { owner, spec } of podsOf(objects(name))) {
        expect({ owner, ...spec }).toMatchObject({
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
          enableServiceLinks: false,
          automountServiceAccountToken: owner === 'Deployment/p-plexus-scheduler' && name !== 'locked-down',
        });
        // Without one the SCC restricted-v2 of OpenShift gives it, and takes none of ours.
        if (name === 'openshift') for (const field of ['runAsUser', 'runAsGroup', 'fsGroup']) expect(spec.securityContext).not.toHaveProperty(field);
        else expect(spec.securityContext).toMatchObject({ runAsUser: 10_001, runAsGroup: 10_001, fsGroup: 10_001 });
        for (const volume of spec.volumes ?? []) expect(Object.keys(volume).filter((key) => key !== 'name')).toEqual([expect.stringMatching(SCC_VOLUMES)]);
        for (const field of ['hostNetwork', 'hostPID', 'hostIPC']) expect(spec).not.toHaveProperty(field);
        for (const volume of spec.volumes ?? []) expect(volume).not.toHaveProperty('hostPath');
        for (const container of containersOf(spec)) {
          expect(container.securityContext).toEqual({
            allowPrivilegeEscalation: false,
            privileged: false,
            readOnlyRootFilesystem: true,
            runAsNonRoot: true,
            capabilities: { drop: ['ALL'] },
          });
          expect(container.resources).toMatchObject({ requests: { cpu: expect.anything(), memory: expect.anything() }, limits: { memory: expect.anything() } });
          expect(container.image).toMatch(/(:\d[^:/@]*|@sha256:[0-9a-f]{64})$/);
        }
      }
    });

    it('has probes, spread over zones and nodes, and a budget for everything that runs more than once', () => {
      const budgets = objects(name).filter(({ kind }) => kind === 'PodDisruptionBudget');
      for (const workload of workloads(objects(name))) {
        const { template, replicas, strategy } = workload.spec;
        const [container] = template.spec.containers;
        expect(container).toMatchObject({
          startupProbe: { httpGet: { path: '/livez', port: 'internal' } },
          livenessProbe: { httpGet: { path: '/livez', port: 'internal' } },
          readinessProbe: { httpGet: { path: '/readyz', port: 'internal' } },
          ports: expect.arrayContaining([expect.objectContaining({ name: 'internal' })]),
        });
        const keys = template.spec.topologySpreadConstraints.map(({ topologyKey }: { topologyKey: string }) => topologyKey);
        expect(keys).toEqual(['topology.kubernetes.io/zone', 'kubernetes.io/hostname']);
        const covering = budgets.filter((budget) => selects(budget.spec.selector.matchLabels, template.metadata.labels));
        const single = replicas === 1;
        expect({ workload: workload.metadata.name, budgets: covering.length }).toMatchObject({ budgets: single ? 0 : 1 });
        for (const { spec } of covering) expect(spec).toMatchObject({ maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' });
        if (!single) expect(strategy.rollingUpdate).toMatchObject({ maxUnavailable: 0 });
      }
    });

    it('has selectors that find exactly the Pods of their service', () => {
      const pods = podsOf(objects(name)).filter(({ owner }) => owner.startsWith('Deployment/'));
      const components = (labels: Readonly<Record<string, string>>): string[] =>
        pods.filter((pod) => selects(labels, pod.labels)).map((pod) => pod.labels['app.kubernetes.io/component'] as string);
      for (const { spec, metadata } of workloads(objects(name))) {
        expect(components(spec.selector.matchLabels)).toEqual([metadata.labels?.['app.kubernetes.io/component']]);
      }
      for (const service of objects(name).filter(({ kind, spec }) => kind === 'Service' && spec.clusterIP !== 'None')) {
        expect(components(service.spec.selector)).toEqual([service.metadata.labels?.['app.kubernetes.io/component']]);
        const target = pods.find((pod) => selects(service.spec.selector, pod.labels));
        const ports = target?.spec.containers[0].ports.map((port: { name: string }) => port.name);
        for (const { targetPort } of service.spec.ports) expect(ports).toContain(targetPort);
        expect(service.spec.ports.map(({ targetPort }: { targetPort: string }) => targetPort)).not.toContain('internal');
      }
    });

    it('leads from outside to Services and ports that exist, never to the internal one', () => {
      const services = objects(name).filter(({ kind }) => kind === 'Service');
      const backends = [
        ...objects(name)
          .filter(({ kind }) => kind === 'Ingress')
          .flatMap(({ spec }) =>
            spec.rules.flatMap((rule: KubernetesObject) =>
              rule.http.paths.map((path: KubernetesObject) => [path.backend.service.name, path.backend.service.port.number]),
            ),
          ),
        ...objects(name)
          .filter(({ kind }) => kind === 'HTTPRoute')
          .flatMap(({ spec }) =>
            spec.rules.flatMap((rule: KubernetesObject) => rule.backendRefs.map((to: { name: string; port: number }) => [to.name, to.port])),
          ),
      ];
      expect(backends.length > 0).toBe(['production', 'keda', 'openshift'].includes(name));
      for (const [service, port] of backends) {
        const found = services.find(({ metadata }) => metadata.name === service);
        expect(found?.spec.ports).toEqual([expect.objectContaining({ port, targetPort: 'http' })]);
      }
    });

    it('is given time to end: grace covers delay, drain, flush and a margin, and the process gives up before it is killed', async () => {
      for (const { metadata, spec } of workloads(objects(name))) {
        const service = metadata.labels?.['app.kubernetes.io/component'] as string;
        const { delay, drain, flush, margin } = (facts[service] as Facts).stops;
        const [container] = spec.template.spec.containers;
        const variables = variablesOf(container);
        const sleep = container.lifecycle?.preStop.sleep.seconds ?? 0;
        expect({ service, grace: spec.template.spec.terminationGracePeriodSeconds }).toEqual({ service, grace: delay + drain + flush + margin + sleep });
        expect(variables.get('PROPAGATION_DELAY_MS')).toBe(String(delay * 1_000));
        expect(variables.get('SHUTDOWN_TIMEOUT_MS')).toBe(String((delay + drain + flush) * 1_000));
        expect(margin).toBeGreaterThanOrEqual(8);
      }
    });

    it('has at most one who decides about replicas, and names none itself then', () => {
      const scalers = objects(name).filter(({ kind }) => ['HorizontalPodAutoscaler', 'ScaledObject'].includes(kind));
      for (const workload of workloads(objects(name))) {
        const mine = scalers.filter(({ spec }) => spec.scaleTargetRef.name === workload.metadata.name);
        expect(mine.length).toBeLessThanOrEqual(1);
        expect('replicas' in workload.spec).toBe(mine.length === 0);
      }
      expect(scalers.every(({ spec }) => workloads(objects(name)).some(({ metadata }) => metadata.name === spec.scaleTargetRef.name))).toBe(true);
    });

    it('holds nothing secret: no Secret, no literal in a variable that sounds like one, every file from a Secret that is mounted', () => {
      expect(objects(name).filter(({ kind }) => kind === 'Secret')).toEqual([]);
      for (const { owner, spec } of podsOf(objects(name))) {
        for (const container of containersOf(spec)) {
          for (const { name: variable, value } of container.env ?? []) {
            if (/(TOKEN|SECRET|PASSWORD|API_KEY|MASTER_KEY|DATABASE_URL)$/.test(variable))
              expect({ owner, variable, value }).toEqual({ owner, variable, value: undefined });
            if (typeof value !== 'string' || !value.startsWith('/run/secrets/plexus/')) continue;
            const mount = container.volumeMounts.find(({ mountPath }: { mountPath: string }) => value.startsWith(`${mountPath}/`));
            const volume = spec.volumes.find((one: { name: string }) => one.name === mount?.name);
            expect({ owner, variable, paths: volume?.secret.items.map(({ path }: { path: string }) => `${mount.mountPath}/${path}`) }).toEqual({
              owner,
              variable,
              paths: expect.arrayContaining([value]),
            });
          }
        }
      }
    });

    it('gives every service settings that it knows and takes', async () => {
      const settings = await serviceSettings(root);
      for (const { metadata, spec } of workloads(objects(name))) {
        const service = metadata.labels?.['app.kubernetes.io/component'] as string;
        const schema = settings.get(service);
        if (schema === undefined) throw new Error(`no settings of ${service}`);
        const variables = variablesOf(spec.template.spec.containers[0]);
        const strangers = [...variables.keys()].filter((variable) => !(variable in schema.shape) && !OF_THE_PROCESS.has(variable));
        expect({ service, strangers }).toEqual({ service, strangers: service === 'channel-telegram' ? ['ACME_BOT_TOKEN'] : [] });
        const known = Object.fromEntries([...variables].filter(([variable]) => variable in schema.shape));
        expect({ service, problems: schema.safeParse(known).error?.issues ?? [] }).toEqual({ service, problems: [] });
      }
    });

    it('opens in the network exactly what each service needs, and denies the rest', () => {
      const policies = objects(name).filter(({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.namespace === NAMESPACE);
      for (const { owner, labels, spec } of podsOf(objects(name))) {
        const mine = policies.filter((policy) => selects(policy.spec.podSelector.matchLabels, labels));
        const [deny, own] = [mine.filter(({ spec: { egress, ingress } }) => !egress && !ingress), mine.filter(({ spec: { egress } }) => egress)];
        expect({ owner, deny: deny.length, own: own.length }).toEqual({ owner, deny: 1, own: 1 });
        const ports = new Set<number | string>(
          own.flatMap((policy) => policy.spec.egress.flatMap((rule: { ports: { port: number }[] }) => rule.ports.map(({ port }) => port))),
        );
        const variables = [...variablesOf(containersOf(spec)[0] as KubernetesObject).keys()];
        expect(ports).toContain(53);
        if (variables.includes('NATS_URL')) expect(ports).toContain(4222);
        if (owner.startsWith('Deployment/'))
          expect({ owner, postgres: ports.has(5432) }).toEqual({ owner, postgres: variables.some((variable) => variable.endsWith('DATABASE_URL')) });
        if (owner.startsWith('Deployment/')) {
          const env = variablesOf(containersOf(spec)[0] as KubernetesObject);
          const reaches = (port: number): boolean => ports.has(port);
          expect({ owner, kubernetesApi: reaches(6443) }).toEqual({ owner, kubernetesApi: env.get('PROVIDER')?.includes('kubernetes') === true });
          expect({ owner, otlp: reaches(4318) }).toEqual({ owner, otlp: env.has('OTEL_EXPORTER_OTLP_ENDPOINT') });
          if (owner.endsWith('-memory')) expect({ owner, embedder: reaches(443) }).toEqual({ owner, embedder: env.get('MEMORY_EMBEDDER') === 'openai' });
          if (/-(routing|gateway)$/.test(owner)) expect({ owner, internet: reaches(443) }).toEqual({ owner, internet: false });
        }
      }
    });
  });

  it('sets, in one rendering or another, every variable that it calls its own, for every service that knows it', async () => {
    for (const [service, { shape }] of await serviceSettings(root)) {
      const seen = new Set<string>();
      // An adapter is rendered like every other one.
      const twin = service.startsWith('channel-') ? 'channel-webhook' : service;
      for (const name of VALUE_FILES) {
        const found = workloads(objects(name)).find(({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === twin);
        for (const variable of variablesOf(found?.spec.template.spec.containers[0]).keys()) seen.add(variable);
      }
      if (service === 'gateway') seen.add('GATEWAY_TOKEN_FILE'); // a shared token is nothing for an example; see below
      const missing = Object.keys(shape).filter((variable) => SET_BY_CHART.has(variable) && !isSettable(variable) && !seen.has(variable));
      expect({ service, missing }).toEqual({ service, missing: [] });
    }
    const [gateway] = workloads(await render('default', '--set', 'secrets.gatewayToken.existingSecret=token')).filter(
      ({ metadata }) => metadata.name === `${RELEASE}-plexus-gateway`,
    );
    expect(variablesOf(gateway?.spec.template.spec.containers[0]).get('GATEWAY_TOKEN_FILE')).toBe('/run/secrets/plexus/gateway-token/current');
  });

  it('tests itself: the Pod of `helm test` speaks to the Service of the gateway, and every policy on its way lets it through', async () => {
    for (const port of [80, 8443]) {
      const objects = await render('default', '--set', 'tests.token.existingSecret=smoke', '--set', `services.gateway.service.port=${port}`);
      const [smoke] = objects.filter(({ kind, metadata }) => kind === 'Pod' && metadata.name.endsWith('-smoke')) as [KubernetesObject];
      expect(await problemsOf(smoke)).toEqual([]);
      const { args } = smoke.spec.containers[0] as { args: string[] };
      const address = new URL(args[args.indexOf('--gateway') + 1] as string);
      const service = objects.find(({ kind, metadata }) => kind === 'Service' && metadata.name === address.hostname) as KubernetesObject;
      const entry = service.spec.ports.find((one: { port: number }) => one.port === Number(address.port || 80));
      const gateway = podsOf(objects).find((pod) => pod.owner.startsWith('Deployment/') && selects(service.spec.selector, pod.labels)) as Pod;
      const target = gateway.spec.containers[0].ports.find(({ name }: { name: string }) => name === entry?.targetPort);
      const peers = (rules: KubernetesObject[], side: 'to' | 'from', labels: Readonly<Record<string, string>>): (number | string)[] =>
        rules.flatMap((rule) =>
          (rule[side] ?? []).some((peer: KubernetesObject) => peer.podSelector !== undefined && selects(peer.podSelector.matchLabels ?? {}, labels))
            ? rule.ports.map((one: { port: number | string }) => one.port)
            : [],
        );
      const of = (labels: Readonly<Record<string, string>>, side: 'egress' | 'ingress'): KubernetesObject[] =>
        objects
          .filter(({ kind, metadata, spec }) => kind === 'NetworkPolicy' && metadata.namespace === NAMESPACE && selects(spec.podSelector.matchLabels, labels))
          .flatMap(({ spec }) => spec[side] ?? []);
      const labels = smoke.metadata.labels as Record<string, string>;
      expect(peers(of(labels, 'egress'), 'to', gateway.labels)).toEqual([target.containerPort]);
      expect(peers(of(gateway.labels, 'ingress'), 'from', labels)).toContain(target.name);
      expect(of(labels, 'egress').flatMap((rule) => rule.ports.map((one: { port: number }) => one.port))).toContain(53);
    }
  });

  it('watches over what has to run, and over nothing else', async () => {
    const alerts = async (...args: string[]): Promise<string[]> => {
      const rules = (await render('production', ...args)).find(({ kind }) => kind === 'PrometheusRule');
      return rules?.spec.groups.flatMap((group: { rules: { alert?: string }[] }) => group.rules.map(({ alert }) => alert));
    };
    expect(await alerts()).toEqual(expect.arrayContaining(['PlexusNoGateway', 'PlexusNoMemory', 'PlexusNoPush', 'PlexusNoRouting', 'PlexusNoScheduler']));
    const some = await alerts('--set', 'services.memory.enabled=false', '--set-json', 'services.push.autoscaling={"mode":"keda","minReplicas":0}');
    expect(some.filter((alert) => alert?.startsWith('PlexusNo')).sort()).toEqual(['PlexusNoGateway', 'PlexusNoRouting', 'PlexusNoScheduler']);
  });

  it('follows, with KEDA, every consumer that the contracts declare for a service', () => {
    for (const { spec, metadata } of objects('keda').filter(({ kind }) => kind === 'ScaledObject')) {
      const service = metadata.labels?.['app.kubernetes.io/component'];
      const declared = Object.values(CONSUMERS).filter((consumer) => consumer.service === service);
      const triggers = spec.triggers.filter(({ type }: { type: string }) => type === 'nats-jetstream');
      expect(triggers.map((trigger: { metadata: { stream: string; consumer: string } }) => [trigger.metadata.stream, trigger.metadata.consumer])).toEqual(
        declared.map(({ stream, name }) => [stream, name]),
      );
      expect(declared.length).toBeGreaterThan(0);
    }
  });

  it('grants the scheduler what its documentation lists, in the namespace of the VMs only', async () => {
    const table = readText('services/scheduler/docs/kubernetes.md').split('## Rights')[1]?.split('## ')[0] ?? '';
    const documented = [...table.matchAll(/^\| `([a-z/]+)`[^|]*\| ([a-z, ]+) \|$/gm)].map(([, resource, verbs]) => [resource, verbs?.split(', ')]);
    expect(documented).toHaveLength(5);
    const rules = (role: KubernetesObject | undefined) =>
      role?.rules.map(({ resources, verbs }: { resources: string[]; verbs: string[] }) => [resources[0], verbs]);
    const role = objects('default').find(({ kind }) => kind === 'Role');
    expect(role?.metadata.namespace).toBe('plexus-vms');
    expect(rules(role)).toEqual(documented);
    const perTenant = await render('default', '--set', 'vms.namespacePerTenant=true');
    expect(rules(perTenant.find(({ kind }) => kind === 'ClusterRole'))).toEqual([...documented, ['namespaces', ['create']]]);
    expect(objects('locked-down').filter(({ kind }) => /Role|Namespace/.test(kind))).toEqual([]);
  });

  it('runs migrations and the stream plan before anything else, as hooks that fail for good after some attempts', () => {
    const jobs = objects('production').filter(({ kind }) => kind === 'Job');
    expect(jobs.map(({ metadata, spec }) => [metadata.name, spec.template.spec.containers[0].args])).toEqual([
      ['p-plexus-migrations', ['db', 'migrate']],
      ['p-plexus-stream-plan', ['nats', 'apply', '--replicas', '3']],
      ['p-plexus-platform', ['platform', 'apply', '/etc/plexus/platform.json']],
    ]);
    for (const { metadata, spec } of jobs) {
      expect(metadata.annotations).toMatchObject({ 'helm.sh/hook': 'pre-install,pre-upgrade' });
      expect(spec).toMatchObject({ backoffLimit: 5, activeDeadlineSeconds: 600 });
    }
    // What a hook needs must be there before it, and is therefore a hook itself.
    const weight = (kind: string, name: string) =>
      Number(objects('production').find((one) => one.kind === kind && one.metadata.name === name)?.metadata.annotations?.['helm.sh/hook-weight']);
    expect(weight('NetworkPolicy', 'p-plexus-jobs')).toBeLessThan(weight('Job', 'p-plexus-migrations'));
    expect(weight('ConfigMap', 'p-plexus-platform')).toBeLessThan(weight('Job', 'p-plexus-platform'));
    expect(weight('Job', 'p-plexus-stream-plan')).toBeLessThan(weight('Job', 'p-plexus-platform'));
  });
});
