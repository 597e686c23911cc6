import { readFileSync } from 'node:fs';
import type { Configuration, CoreV1Api, KubeConfig, NetworkingV1Api, RequestContext } from '@kubernetes/client-node';
import { type Clock, ConfigurationError } from '@plexus/kernel';
import { ApiCalls } from './api-calls.js';
import type { KubernetesSettings } from './settings.js';

export type Client = typeof import('@kubernetes/client-node');

export interface WatchHandle {
  abort(): void;
}

/** One connection to one cluster. */
export interface Connection {
  readonly core: CoreV1Api;
  readonly networking: NetworkingV1Api;
  readonly calls: ApiCalls;
  /** Merge patches need their media type. */
  readonly mergePatch: Readonly<Record<string, string>>;
  /** Opens a watch; `onEnd` is called once, whatever ends it. */
  watch(
    path: string,
    query: Readonly<Record<string, string | number | boolean>>,
    onEvent: (type: string, object: unknown) => void,
    onEnd: (error: unknown) => void,
  ): Promise<WatchHandle>;
}

type Where = Pick<KubernetesSettings, 'KUBERNETES_KUBECONFIG' | 'KUBERNETES_CONTEXT' | 'KUBERNETES_SERVICE_HOST' | 'KUBERNETES_SERVICE_PORT'>;

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** Certificates of clients are renewed on disk; a pool of connections keeps the ones it was made with. */
const POOL_LIFE_MS = 600_000;

/** Reads the configuration, which must be complete; nothing is asked of the cluster yet. The client is loaded only here: it costs 80 MB. */
export async function connectKubernetes(
  where: Where,
  clock: Clock,
  load: () => Promise<Client> = () => import('@kubernetes/client-node'),
): Promise<Connection> {
  const client = await load();
  const config = new client.KubeConfig();
  if (where.KUBERNETES_KUBECONFIG === undefined) loadServiceAccount(config, where);
  else loadKubeconfig(config, where.KUBERNETES_KUBECONFIG, where.KUBERNETES_CONTEXT);
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) throw new ConfigurationError('the Kubernetes configuration names no API server');
  if (!URL.canParse(server)) throw new ConfigurationError(`the Kubernetes configuration names ${JSON.stringify(server)} as API server, which is no URL`);
  if (server.startsWith('http:') && config.getCurrentCluster()?.skipTLSVerify !== true) {
    throw new ConfigurationError(
      `the API server ${server} has no TLS: its kubeconfig must say insecure-skip-tls-verify, or credentials would be sent in the open`,
    );
  }
  const configuration = configure(client, config, server, clock);
  const watcher = new client.Watch(config);
  return {
    core: new client.CoreV1Api(configuration as never) as unknown as CoreV1Api,
    networking: new client.NetworkingV1Api(configuration as never) as unknown as NetworkingV1Api,
    calls: new ApiCalls(clock, (value) => new client.Observable(Promise.resolve(value))),
    mergePatch: { 'Content-Type': client.PatchStrategy.MergePatch },
    watch: (path, query, onEvent, onEnd) => watcher.watch(path, query, onEvent, onEnd),
  };
}

function loadKubeconfig(config: KubeConfig, file: string, context: string | undefined): void {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigurationError(`KUBERNETES_KUBECONFIG ${file} cannot be read`, { cause });
  }
  try {
    config.loadFromString(text);
  } catch (cause) {
    throw new ConfigurationError(`KUBERNETES_KUBECONFIG ${file} is no kubeconfig: ${(cause as Error).message}`, { cause });
  }
  const names = config.getContexts().map(({ name }) => name);
  const wanted = context ?? config.getCurrentContext();
  if (!names.includes(wanted)) {
    throw new ConfigurationError(`KUBERNETES_KUBECONFIG ${file} has no context ${JSON.stringify(wanted)}; it has ${names.join(', ') || 'none'}`);
  }
  config.setCurrentContext(wanted);
  if (config.getCurrentCluster() === null) throw new ConfigurationError(`context ${wanted} of ${file} names a cluster that the file does not have`);
}

function loadServiceAccount(config: KubeConfig, where: Where): void {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = where;
  if (!host || !port) {
    throw new ConfigurationError('no cluster to connect to: set KUBERNETES_KUBECONFIG, or run in a Pod (KUBERNETES_SERVICE_HOST and _PORT are not set)');
  }
  for (const file of ['token', 'ca.crt']) {
    try {
      readFileSync(`${SERVICE_ACCOUNT}/${file}`);
    } catch (cause) {
      throw new ConfigurationError(`${SERVICE_ACCOUNT}/${file} cannot be read: does the scheduler's Pod mount its service account token?`, { cause });
    }
  }
  config.loadFromCluster();
}

/** The client would open a new pool of connections for every request; this keeps one. */
function configure(client: Client, config: KubeConfig, server: string, clock: Clock): Configuration {
  let pool: { readonly dispatcher: ReturnType<RequestContext['getDispatcher']>; readonly since: number } | undefined;
  return client.createConfiguration({
    baseServer: new client.ServerConfiguration(server, {}),
    authMethods: { default: config as never },
    promiseMiddleware: [
      {
        async pre(request) {
          const now = clock.monotonic();
          if (pool === undefined || now - pool.since > POOL_LIFE_MS) pool = { dispatcher: request.getDispatcher(), since: now };
          if (pool.dispatcher !== undefined) request.setDispatcher(pool.dispatcher);
          return request;
        },
        post: async (response) => response,
      },
    ],
  });
}
