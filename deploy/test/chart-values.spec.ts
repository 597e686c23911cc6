import { existsSync } from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { CHART, chartFiles, leftOver } from '../src/chart/chart-files.js';
import { isSettable, OF_THE_PROCESS, reasonNotOffered, SET_BY_CHART } from '../src/chart/owned-variables.js';
import { SERVICE_NAMES, serviceSettings } from '../src/chart/service-settings.js';
import { readFacts, readText, readYaml, root, VALUE_FILES, valuesFile } from './support/repository.js';

const schema = JSON.parse(readText(`${CHART}/values.schema.json`)) as object;
const validate = new Ajv({ strict: false }).compile(schema);

/** What the schema says against values; empty: it takes them. */
function problems(values: unknown): string[] {
  return validate(values) ? [] : (validate.errors ?? []).map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`);
}

describe('values of the chart', () => {
  it('are described by files that say what their sources say: run `npm run generate` in deploy/ when this fails', async () => {
    const files = await chartFiles(root);
    for (const [file, content] of files) {
      expect({ file, exists: existsSync(path.join(root, file)) }).toEqual({ file, exists: true });
      // The formatter has the last word on how JSON looks.
      if (file.endsWith('.json')) expect({ file, says: JSON.parse(readText(file)) }).toEqual({ file, says: JSON.parse(content) });
      else expect(readText(file)).toBe(content);
    }
    expect(leftOver(root, files)).toEqual([]);
  });

  it.each(['values', ...VALUE_FILES])('of %s are taken by the schema', (name) => {
    expect(problems(readYaml(name === 'values' ? `${CHART}/values.yaml` : valuesFile(name)))).toEqual([]);
  });

  it('have a description everywhere', () => {
    const silent: string[] = [];
    const walk = (part: { description?: string; properties?: Record<string, object>; $ref?: string }, at: string): void => {
      if (part.$ref === undefined && !part.description) silent.push(at);
      for (const [key, child] of Object.entries(part.properties ?? {})) walk(child, `${at}.${key}`);
    };
    walk(schema, 'values');
    expect(silent).toEqual([]);
  });

  it.each([
    ['a key that does not exist', 'replicaCount: 3'],
    ['a service that does not exist', 'services: { gatway: {} }'],
    ['a key of a service that does not exist', 'services: { gateway: { replica: 3 } }'],
    ['a setting that the service does not know', 'services: { gateway: { settings: { GATEWAY_TICKS_MS: 1 } } }'],
    ['a setting of another service', 'services: { gateway: { settings: { ROUTING_QUEUE_LIMIT: 10 } } }'],
    ['a setting out of its range', 'services: { gateway: { settings: { GATEWAY_TICK_MS: 1 } } }'],
    ['a choice that there is not', 'services: { memory: { settings: { MEMORY_EMBEDDER: magic } } }'],
    ['a setting that the chart decides', 'services: { gateway: { settings: { NATS_URL: "nats://elsewhere:4222" } } }'],
    ['a secret as a value', 'services: { gateway: { settings: { GATEWAY_TOKEN: secret } } }'],
    ['settings for everybody at once', 'defaults: { settings: { LOG_LEVEL: info } }'],
    ['both autoscalers', 'services: { push: { autoscaling: { mode: [hpa, keda] } } }'],
    ['text for a number', 'services: { push: { replicas: many } }'],
    ['a provider that isolates nothing', 'vms: { provider: [local] }'],
    ['a URL of something else', 'nats: { url: "http://nats:8222" }'],
    ['a digest that is none', 'services: { push: { image: { digest: latest } } }'],
    ['root', 'defaults: { runAsUser: 0 }'],
    ['a budget that lets nobody go', 'defaults: { podDisruptionBudget: { maxUnavailable: 0 } }'],
    ['a budget of nothing in percent', 'services: { push: { podDisruptionBudget: { maxUnavailable: "0%" } } }'],
    ['no replica to spare while none may be missing', 'defaults: { maxSurge: 0 }'],
    ['a label by which objects find each other', 'services: { push: { podLabels: { app.kubernetes.io/component: mine } } }'],
    ['a label that Kubernetes would refuse', 'commonLabels: { team: "a team" }'],
    ['a name that no object may have', 'fullnameOverride: My_Mesh'],
    ['a Secret that cannot exist', 'postgres: { existingSecret: Plexus_Postgres }'],
    ['a Secret without a key', 'secrets: { masterKey: { key: "" } }'],
    ['a backup at no time', 'backup: { schedule: "every night" }'],
    ['an interval without a unit', 'monitoring: { podMonitor: { interval: "30" } }'],
    ['a size that is none', 'defaults: { tmpSize: 128 MB }'],
    ['an address for a host', 'ingress: { hosts: ["https://plexus.example.com"] }'],
    ['more copies than NATS knows', 'nats: { plan: { replicas: 7 } }'],
  ])('with %s are refused', (_what, text) => {
    expect(problems(parse(text))).not.toEqual([]);
  });
});

describe('settings of services in the chart', () => {
  it('are each settable, set by the chart, or not offered for a reason, and never two of these', async () => {
    for (const [service, settings] of await serviceSettings(root)) {
      for (const variable of Object.keys(settings.shape)) {
        const ways = [isSettable(variable), SET_BY_CHART.has(variable), reasonNotOffered(variable) !== undefined].filter(Boolean).length;
        expect({ service, variable, ways }).toEqual({ service, variable, ways: 1 });
        expect({ variable, ofTheProcess: OF_THE_PROCESS.has(variable) }).toEqual({ variable, ofTheProcess: false });
      }
    }
  });

  it('that the chart decides exist in a service, and name what the facts name', async () => {
    const known = new Set([...(await serviceSettings(root)).values()].flatMap(({ shape }) => Object.keys(shape)));
    expect([...SET_BY_CHART].filter((variable) => !known.has(variable))).toEqual([]);
    for (const [service, { database, files = [], variables = [], port }] of Object.entries(readFacts())) {
      const named = [
        database?.variable,
        port?.host,
        port?.variable,
        ...files.flatMap((file) => [file.variable, file.previous]),
        ...variables.map((one) => one.variable),
      ];
      const shape = (await serviceSettings(root)).get(service)?.shape ?? {};
      expect({ service, unknown: named.filter((variable) => variable !== undefined && !(variable in shape)) }).toEqual({ service, unknown: [] });
    }
  });

  it('belong to the services that the chart knows', () => {
    expect(Object.keys(readFacts()).sort()).toEqual([...SERVICE_NAMES].sort());
    expect(Object.keys(readYaml<{ services: object }>(`${CHART}/values.yaml`).services).sort()).toEqual([...SERVICE_NAMES].sort());
  });
});

describe('the time to end', () => {
  it('is said in the README as it is given to Pods', () => {
    const rows = [...readText(`${CHART}/README.md`).matchAll(/^\| ([a-z, ]+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$/gm)];
    const said = new Map(rows.flatMap(([, services = '', ...seconds]) => services.split(', ').map((service) => [service, seconds.map(Number)])));
    for (const [service, { stops }] of Object.entries(readFacts())) {
      const { delay, drain, flush, margin } = stops;
      expect({ service, seconds: said.get(service.startsWith('channel-') ? 'channel adapters' : service) }).toEqual({
        service,
        seconds: [delay, drain, flush, margin, delay + drain + flush + margin],
      });
    }
  });
});
