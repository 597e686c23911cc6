import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { throwAwayFolder } from '@plexus/testing';
import { parse } from 'yaml';
import { helm, helmBinary, NAMESPACE, refusal, RELEASE, render } from './support/helm.js';
import { variablesOf, workloads } from './support/pods.js';
import { root, valuesFile } from './support/repository.js';

const suite = helmBinary() === undefined ? describe.skip : describe;

suite('the chart, asked for what does not go together', () => {
  it.each([
    ['no database', ['postgres.existingSecret=""', 'migrations.enabled=false'], /routing needs a database|push needs a database|memory needs a database/],
    [
      'migrations without a database',
      [
        'postgres.existingSecret=""',
        'services={"routing":{"enabled":false},"push":{"enabled":false},"memory":{"enabled":false},"scheduler":{"enabled":false}}',
      ],
      /migrations\.enabled, but neither/,
    ],
    ['HPA and triggers of KEDA', ['services.push.autoscaling={"mode":"hpa","triggers":[{"type":"cron"}]}'], /the two would fight over the replicas/],
    ['KEDA and metrics of an HPA', ['services.push.autoscaling={"mode":"keda","metrics":[{"type":"Resource"}]}'], /which KEDA makes itself/],
    ['an HPA that scales by nothing', ['services.gateway.autoscaling={"mode":"hpa","cpuPercent":0}'], /without anything to scale by/],
    ['an HPA down to nothing', ['services.gateway.autoscaling={"mode":"hpa","minReplicas":0}'], /cannot do/],
    ['KEDA for somebody who consumes nothing', ['services.gateway.autoscaling.mode="keda"'], /consumes nothing whose lag/],
    ['more at least than at most', ['services.push.autoscaling={"mode":"keda","minReplicas":9,"maxReplicas":3}'], /minReplicas 9 is more than maxReplicas 3/],
    ['two replicas of an adapter', ['services.channel-slack={"enabled":true,"replicas":2}'], /two would both connect every account/],
    ['VMs beside the services', ['vms.namespace="plexus"'], /may list the Secrets of that namespace/],
    ['VMs without a gateway', ['services.gateway.enabled=false'], /nowhere to connect to/],
    ['no secret for VM tokens', ['secrets.vmToken.existingSecret=""'], /each other's VM tokens/],
    ['no master key in production', ['secrets.masterKey.existingSecret=""'], /master key/],
    ['no credentials for NATS in production', ['nats.credentials.existingSecret=""'], /whoever reaches port 4222 could do anything.*plexus nats accounts/],
    ['a client certificate from nowhere', ['nats.tls.clientCertificate=true'], /needs nats\.tls\.existingSecret/],
    ['a platform without tenants', ['platform.apply=true'], /lock everybody out/],
    ['backups onto nothing', ['backup.enabled=true'], /without backup\.existingClaim/],
    [
      'backups of no database',
      [
        'backup={"enabled":true,"existingClaim":"a"}',
        'postgres.existingSecret=""',
        'migrations.enabled=false',
        'services={"routing":{"enabled":false},"push":{"enabled":false},"memory":{"enabled":false},"scheduler":{"enabled":false}}',
      ],
      /neither backup\.existingSecret nor/,
    ],
    ['an ingress without hosts', ['ingress.enabled=true'], /without ingress\.hosts/],
    [
      'an ingress to nobody',
      ['ingress={"enabled":true,"hosts":["a"]}', 'services.gateway.enabled=false', 'vms.gatewayUrl="wss://elsewhere/ws/vm"'],
      /nothing to lead to/,
    ],
    ['a route without a Gateway', ['gatewayApi.enabled=true'], /without gatewayApi\.parentRefs/],
    ['two monitors', ['monitoring.podMonitor.enabled=true', 'monitoring.serviceMonitor.enabled=true'], /scraped twice/],
    [
      'a variable of the chart in extraEnv',
      ['services.gateway.extraEnv=[{"name":"NATS_URL","value":"nats://elsewhere"}]'],
      /the variable NATS_URL is set twice/,
    ],
    ['an embedder without its endpoint', ['services.memory.settings.MEMORY_EMBEDDER="openai"'], /set MEMORY_EMBEDDING_BASE_URL/],
    ['NATS behind a closed port', ['nats.url="nats://nats:4223"'], /nats\.url leads to port 4223, and networkPolicy\.egress\.nats\.ports opens only \[4222\]/],
    ['a collector behind a closed port', ['telemetry.otlpEndpoint="http://collector:14318"'], /networkPolicy\.egress\.otlp\.ports/],
    [
      'an embedder behind a closed port',
      [
        'services.memory.settings={"MEMORY_EMBEDDER":"openai","MEMORY_EMBEDDING_BASE_URL":"http://vectors:8080/v1","MEMORY_EMBEDDING_MODEL":"m","MEMORY_EMBEDDING_DIMENSIONS":8}',
      ],
      /MEMORY_EMBEDDING_BASE_URL leads to port 8080/,
    ],
    ['a default that is taken away', ['defaults.replicas=null'], /defaults\.replicas is null/],
    ['one account made many times', ['defaults.serviceAccount.name="plexus"'], /would be made once for every service/],
    ['rights for everybody', ['services.scheduler.serviceAccount.create=false'], /every Pod of the namespace would have the scheduler's rights/],
    [
      'a share of CPU that nobody asks for',
      ['services.push={"autoscaling":{"mode":"hpa"},"resources":{"requests":{"cpu":null}}}'],
      /resources\.requests\.cpu is not set/,
    ],
    ['KEDA that looks nowhere', ['services.push.autoscaling.mode="keda"', 'nats.monitoring.endpoint=""'], /nats\.monitoring\.endpoint, and that is empty/],
    ['two listeners on a port', ['internal.port=18789'], /on which gateway listens for its clients/],
    [
      'a test of a gateway that is not there',
      ['tests.token.existingSecret="t"', 'services.gateway.enabled=false', 'vms.gatewayUrl="wss://elsewhere/ws/vm"'],
      /the test would have nobody to talk to/,
    ],
    ['a setting that does not exist', ['services.gateway.settings.GATEWAY_TICKS_MS=1'], /GATEWAY_TICKS_MS/],
  ])('refuses %s with a sentence and a fix', async (_what, settings, sentence) => {
    expect(await refusal(...settings)).toMatch(sentence);
  });

  it('takes an address behind a rule of your own', async () => {
    const rule = (port: number) => `[{"ports":[{"port":${port}}]}]`;
    const embedder =
      '{"MEMORY_EMBEDDER":"openai","MEMORY_EMBEDDING_BASE_URL":"http://vectors:8080/v1","MEMORY_EMBEDDING_MODEL":"m","MEMORY_EMBEDDING_DIMENSIONS":8}';
    for (const settings of [
      [`services.memory={"settings":${embedder},"extraEgress":${rule(8080)}}`],
      ['telemetry.otlpEndpoint="http://collector:14318"', `defaults.extraEgress=${rule(14_318)}`],
    ])
      await expect(render('default', ...settings.flatMap((setting) => ['--set-json', setting]))).resolves.toBeDefined();
  });
});

suite('the chart, asked for more than it has values for', () => {
  it('merges into objects, adds containers, volumes and manifests, and names images by digest and registry', async () => {
    const settings = {
      'global.imageRegistry': 'mirror.example.com/',
      'services.gateway.image': { registry: 'ignored.example.com', repository: 'own/gateway', tag: '9' },
      'services.push.image': { digest: `sha256:${'a'.repeat(64)}`, tag: '9' },
      'services.gateway.merge.deployment': { metadata: { labels: { own: 'label' } }, spec: { paused: true } },
      'services.gateway.extraContainers': [{ name: 'proxy', image: 'proxy:1' }],
      'services.gateway.extraVolumes': [{ name: 'plugins', emptyDir: {} }],
      'services.gateway.extraVolumeMounts': [{ name: 'plugins', mountPath: '/plugins' }],
      'services.gateway.podLabels': { team: 'a' },
      'services.gateway.podAnnotations': { note: 'b' },
    };
    const all = await render('default', ...Object.entries(settings).flatMap(([key, value]) => ['--set-json', `${key}=${JSON.stringify(value)}`]));
    const [gateway, push] = ['gateway', 'push'].map((name) => workloads(all).find(({ metadata }) => metadata.name.endsWith(name)));
    expect(gateway).toMatchObject({ metadata: { labels: { own: 'label', 'app.kubernetes.io/component': 'gateway' } }, spec: { paused: true, replicas: 2 } });
    expect(gateway?.spec.template.metadata).toMatchObject({ labels: { team: 'a' }, annotations: { note: 'b' } });
    const [container, proxy] = gateway?.spec.template.spec.containers ?? [];
    expect([container.image, proxy.image]).toEqual(['mirror.example.com/own/gateway:9', 'proxy:1']);
    expect(container.volumeMounts).toContainEqual({ name: 'plugins', mountPath: '/plugins' });
    expect(push?.spec.template.spec.containers[0].image).toBe(`mirror.example.com/plexus/push@sha256:${'a'.repeat(64)}`);
    const extra = (await render('production')).filter(({ metadata }) => metadata.name.startsWith('extra'));
    expect(extra.map(({ data }) => data)).toEqual([{ release: RELEASE }, { namespace: NAMESPACE }]);
  });

  it('writes numbers as services read them, and rolls the scheduler when its templates change', async () => {
    const scheduler = async (...args: string[]) => workloads(await render('production', ...args)).find(({ metadata }) => metadata.name.endsWith('scheduler'));
    const gateway = workloads(await render('production')).find(({ metadata }) => metadata.name.endsWith('gateway'));
    expect(variablesOf(gateway?.spec.template.spec.containers[0]).get('GATEWAY_MAX_PAYLOAD_BYTES')).toBe('26214400');
    const [before, after] = await Promise.all([scheduler(), scheduler('--set', 'vms.templates.pools[0].size=4')]);
    const checksum = (one: typeof before): unknown => one?.spec.template.metadata.annotations['checksum/vm-templates'];
    expect(checksum(before)).not.toBe(checksum(after));
    const env = variablesOf(before?.spec.template.spec.containers[0]);
    expect([env.get('KUBERNETES_INTERNET'), env.get('KUBERNETES_TOLERATIONS')]).toEqual(['1', '[{"key":"vms","operator":"Exists"}]']);
  });
});

suite('the notes after an installation', () => {
  const folder = throwAwayFolder('chart-notes');
  afterAll(() => folder.remove());

  /** Only an installation prints notes, and that needs a cluster: here they are a template like the others. */
  const notes = async (name: string): Promise<string> => {
    const chart = path.join(folder.path, name);
    cpSync(path.join(root, 'helm/plexus'), chart, { recursive: true });
    const file = path.join(chart, 'templates/NOTES.txt');
    writeFileSync(path.join(chart, 'templates/_notes.tpl'), `{{ define "notes" }}${readFileSync(file, 'utf8')}{{ end }}`);
    writeFileSync(path.join(chart, 'templates/notes.yaml'), 'notes: {{ include "notes" . | toJson }}');
    rmSync(file);
    const shown = await helm(
      'template',
      RELEASE,
      chart,
      '--namespace',
      NAMESPACE,
      '--kube-version',
      '1.34.0',
      '--values',
      valuesFile(name),
      '--show-only',
      'templates/notes.yaml',
    );
    if (!shown.ok) throw new Error(shown.stderr);
    return (parse(shown.stdout) as { notes: string }).notes;
  };

  it('say how to reach it, and everything that is not ready for production', async () => {
    const said = await notes('default');
    expect(said).toContain('kubectl -n plexus port-forward service/p-plexus-gateway 18789:80');
    for (const warning of ['without credentials', 'nats.tls.existingSecret', 'no tenant exists', 'by tag', 'nobody scrapes']) expect(said).toContain(warning);
  });

  it('name the public address, and only what is left to do', async () => {
    const said = await notes('production');
    expect(said).toContain('https://plexus.example.com');
    expect(said).not.toContain('without credentials');
    expect(said).not.toContain('no tenant exists');
  });
});
