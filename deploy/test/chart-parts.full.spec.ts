import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { throwAwayFolder } from '@plexus/testing';
import { serviceSettings } from '../src/chart/service-settings.js';
import { helm, helmBinary, type KubernetesObject, NAMESPACE, objectsIn, RELEASE, render } from './support/helm.js';
import { problemsOf } from './support/kubernetes-schemas.js';
import { type Pod, podsOf, selects, variablesOf, workloads } from './support/pods.js';
import { readText, root, valuesFile } from './support/repository.js';

const suite = helmBinary() === undefined ? describe.skip : describe;
const component = (objects: KubernetesObject[], name: string): KubernetesObject =>
  workloads(objects).find(({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === name) as KubernetesObject;

suite('what looks for faults in rendered objects', () => {
  it.each([
    ['a key that does not exist', (container: KubernetesObject) => ({ ...container, readinesProbe: {} }), '/readinesProbe: there is no such key'],
    [
      'a key that does not exist, deeper',
      (container: KubernetesObject) => ({ ...container, securityContext: { runAsNotRoot: true } }),
      '/securityContext/runAsNotRoot',
    ],
    ['text for a number', (container: KubernetesObject) => ({ ...container, ports: [{ containerPort: 'many' }] }), '/ports/0/containerPort'],
    ['something that is missing', ({ name: _name, ...container }: Record<string, unknown>) => container, 'required'],
  ])('finds %s', async (_what, change, problem) => {
    const deployment = structuredClone(component(await render('default'), 'gateway'));
    expect(await problemsOf(deployment)).toEqual([]);
    const containers = deployment.spec.template.spec.containers;
    containers[0] = change(containers[0]);
    expect((await problemsOf(deployment)).join('\n')).toContain(problem);
  });
});

suite('the cluster for a test (deploy/kind)', () => {
  it('holds servers that Kubernetes knows, and a chart whose policies let services to them', async () => {
    const servers = objectsIn(readText('deploy/kind/servers.yaml'));
    expect(servers.map(({ kind, metadata }) => `${kind}/${metadata.name}`)).toEqual([
      'Service/nats',
      'Deployment/nats',
      'Service/postgres',
      'Deployment/postgres',
    ]);
    for (const object of servers) expect({ name: object.metadata.name, problems: await problemsOf(object) }).toMatchObject({ problems: [] });
    const { ok, stdout, stderr } = await helm('template', RELEASE, 'helm/plexus', '--namespace', NAMESPACE, '--values', 'deploy/kind/values.yaml');
    expect([ok, stderr]).toEqual([true, '']);
    const objects = objectsIn(stdout);
    for (const object of objects) expect({ name: object.metadata.name, problems: await problemsOf(object) }).toMatchObject({ problems: [] });
    expect(objects.filter(({ kind }) => kind === 'Pod').map(({ metadata }) => metadata.name)).toEqual(['p-plexus-smoke', 'p-plexus-test']);
    // What a policy of the chart opens towards the servers selects them.
    const openings = objects
      .filter(({ kind }) => kind === 'NetworkPolicy')
      .flatMap(({ spec }) => (spec.egress ?? []) as { ports: { port: number }[]; to?: { podSelector?: { matchLabels?: Record<string, string> } }[] }[])
      .filter(({ ports }) => ports.some(({ port }) => port === 4222 || port === 5432));
    expect(new Set(openings.flatMap(({ to = [] }) => to.map(({ podSelector }) => podSelector?.matchLabels?.app)))).toEqual(new Set(['nats', 'postgres']));
  });
});

suite('the chart and the scheduler', () => {
  interface Options {
    readonly pod: { readonly image: string; readonly controlPlaneUrl: string; readonly network: object };
    readonly placement: { readonly namespace: string };
  }
  const load = async <T>(file: string): Promise<T> =>
    (await import(pathToFileURL(path.join(root, 'services/scheduler/dist/src/adapters/kubernetes', file)).href)) as T;

  it.each(['default', 'production'])('agree (%s) about where VMs run, and the policy of VMs lets them to the gateway of this release', async (name) => {
    const objects = await render(name);
    const variables = Object.fromEntries(variablesOf(component(objects, 'scheduler').spec.template.spec.containers[0]));
    const settings = (await serviceSettings(root)).get('scheduler')?.parse(variables);
    const { kubernetesOptions } = await load<{ kubernetesOptions(settings: unknown, around: object): Options }>('options.js');
    const options = kubernetesOptions(settings, { cluster: 'c', controlPlaneUrl: variables.CONTROL_PLANE_WS, environment: {}, maxLifeMs: 60_000 });
    expect(objects.some(({ kind, metadata }) => kind === 'Namespace' && metadata.name === options.placement.namespace)).toBe(true);
    expect(options.pod.image).toMatch(/plexus\/runtime:\d/);

    const gateway = component(objects, 'gateway').spec.template;
    const url = new URL(options.pod.controlPlaneUrl);
    const service = objects.find(({ kind, metadata }) => kind === 'Service' && metadata.name === url.hostname.split('.')[0]);
    expect(service?.spec.ports[0].port).toBe(Number(url.port || 80));

    const { networkPolicy } = await load<{ networkPolicy(network: string, options: object, cluster: string): KubernetesObject }>('network-policy.js');
    const [toGateway] = networkPolicy('mesh', options.pod.network, 'c').spec.egress;
    expect(toGateway.to[0].namespaceSelector.matchLabels).toEqual({ 'kubernetes.io/metadata.name': NAMESPACE });
    expect(selects(toGateway.to[0].podSelector.matchLabels, gateway.metadata.labels)).toBe(true);
    expect(gateway.spec.containers[0].ports.map(({ containerPort }: { containerPort: number }) => containerPort)).toContain(toGateway.ports[0].port);

    // The other side: the gateway admits Pods with the label that the scheduler gives to every VM.
    const admits = objects.find(({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === `${RELEASE}-plexus-gateway`)?.spec.ingress;
    expect(JSON.stringify(admits)).toContain('{"matchLabels":{"app.kubernetes.io/managed-by":"plexus-scheduler"}}');
    expect(networkPolicy('mesh', options.pod.network, 'c').metadata.labels).toMatchObject({ 'app.kubernetes.io/managed-by': 'plexus-scheduler' });
  });
});

suite('backups', () => {
  it('are off by default, and else a CronJob of the command onto the claim that was named, let to NATS and Postgres', async () => {
    expect((await render('default')).filter(({ kind }) => kind === 'CronJob')).toEqual([]);
    const alone = ['migrations.enabled=false', 'nats.plan.enabled=false', 'platform.apply=false'];
    const wanted = { enabled: true, existingClaim: 'my-claim', schedule: '30 2 * * 0', keep: 3, existingSecret: 'sees-all' };
    const objects = await render('production', '--set-json', `backup=${JSON.stringify(wanted)}`, ...alone.flatMap((one) => ['--set-json', one]));
    const [cron, ...others] = objects.filter(({ kind }) => kind === 'CronJob') as [KubernetesObject];
    expect(others).toEqual([]);
    expect(await problemsOf(cron)).toEqual([]);
    expect(cron.spec).toMatchObject({ schedule: '30 2 * * 0', concurrencyPolicy: 'Forbid' });
    // No hook: it stays with the release and goes with it.
    expect(JSON.stringify(cron.metadata)).not.toContain('helm.sh/hook');

    const [pod] = podsOf([cron]) as [Pod];
    const [container] = pod.spec.containers;
    expect(container.args).toEqual(['backup', 'create', '/backups', '--dated', '--keep', '3']);
    expect(container.image).toMatch(/plexus\/cli:\d/);
    expect(pod.spec.volumes).toContainEqual({ name: 'backups', persistentVolumeClaim: { claimName: 'my-claim' } });
    expect(container.volumeMounts).toContainEqual({ name: 'backups', mountPath: '/backups' });
    const urls = container.env.filter(({ name }: { name: string }) => name.endsWith('DATABASE_URL'));
    expect(urls.map((one: KubernetesObject) => one.valueFrom.secretKeyRef.name)).toEqual(['sees-all', 'sees-all']);
    expect([...variablesOf(container).keys()]).toEqual(expect.arrayContaining(['NATS_URL', 'NATS_NKEY_SEED_FILE']));
    const policies = objects.filter(({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.namespace === NAMESPACE);
    const rules = policies.flatMap(({ spec }) => (selects(spec.podSelector.matchLabels, pod.labels) ? (spec.egress ?? []) : [])) as KubernetesObject[];
    const ports = rules.flatMap((rule) => rule.ports.map(({ port }: { port: number }) => port));
    expect(ports).toEqual(expect.arrayContaining([4222, 5432]));
  });
});

suite('dashboards and alerts', () => {
  it('find every service by the label that both monitors hand on', async () => {
    const labels = [...readText('deploy/observability/rules/plexus.yaml').matchAll(/(app_kubernetes_io_\w+)/g)].map(([label]) => label);
    expect([...new Set(labels)]).toEqual(['app_kubernetes_io_component']);
    const monitors = [...(await render('production')), ...(await render('keda'))].filter(({ kind }) => kind.endsWith('Monitor'));
    expect(monitors.map(({ kind, spec }) => [kind, spec.podTargetLabels])).toEqual([
      ['PodMonitor', ['app.kubernetes.io/component']],
      ['ServiceMonitor', ['app.kubernetes.io/component']],
    ]);
  });

  const folder = throwAwayFolder('chart-observability');
  afterAll(() => folder.remove());

  it('come from files, with their own templates left alone and a link to the runbook', async () => {
    const chart = path.join(folder.path, 'plexus');
    cpSync(path.join(root, 'helm/plexus'), chart, { recursive: true });
    for (const part of ['rules', 'dashboards']) mkdirSync(path.join(chart, 'files', part), { recursive: true });
    const alert = { alert: 'PlexusIsAway', expr: 'up == 0', annotations: { summary: '{{ $labels.pod }} is away' } };
    writeFileSync(path.join(chart, 'files/rules/zz-test.yaml'), JSON.stringify({ groups: [{ name: 'test', rules: [alert, { record: 'a:b', expr: '1' }] }] }));
    const dashboard = { title: 'Test', panels: [{ legendFormat: '{{ service }}' }] };
    writeFileSync(path.join(chart, 'files/dashboards/zz-test.json'), JSON.stringify(dashboard, undefined, 2));
    const shown = await helm('template', RELEASE, chart, '--namespace', NAMESPACE, '--kube-version', '1.34.0', '--values', valuesFile('production'));
    expect(shown.stderr).toBe('');
    const objects = objectsIn(shown.stdout);
    const rule = objects.find(({ kind }) => kind === 'PrometheusRule') as KubernetesObject;
    expect(await problemsOf(rule)).toEqual([]);
    const group = rule.spec.groups.find(({ name }: { name: string }) => name === 'test');
    expect(group.rules).toEqual([
      { ...alert, annotations: { ...alert.annotations, runbook_url: 'https://runbooks.example.com/plexus#plexusisaway' } },
      { record: 'a:b', expr: '1' },
    ]);
    const map = objects.find(({ metadata }) => metadata.name === `${RELEASE}-plexus-dashboard-zz-test`);
    expect(map?.metadata.labels).toMatchObject({ grafana_dashboard: '1' });
    expect(JSON.parse(map?.data['zz-test.json'])).toEqual(dashboard);
  });
});
