import path from 'node:path';
import { ConfigurationError } from '@plexus/kernel';
import { ProviderRegistry, type VmProvider } from '../application/provider-port.js';
import { runtimeEnvironment } from '../config.js';
import { ExternalProvider } from './external/external-provider.js';
import { PostgresExternalIncarnations } from './external/postgres-external-incarnations.js';
import { probeLauncher } from './local/launcher.js';
import { LocalProvider } from './local/local-provider.js';
import { hostIdOf } from './local/vm-folder.js';
import { type ProviderDependencies, requireCluster } from './provider-dependencies.js';
import type { ConfiguredProvider } from './provider-settings.js';

type Factory = (dependencies: ProviderDependencies) => Promise<VmProvider>;

/** One line per provider. What only one of them needs is loaded only for it. */
const FACTORIES: Readonly<Partial<Record<ConfiguredProvider, Factory>>> = {
  local: openLocal,
  external: openExternal,
  docker: async ({ config, log }) => (await import('./docker/open-docker.js')).openDocker({ config, cluster: requireCluster(config, 'docker'), log }),
  kubernetes: async ({ config, log }) =>
    (await import('./kubernetes/open-configured.js')).openConfigured({ config, cluster: requireCluster(config, 'kubernetes'), log }),
};

/** The providers that `PROVIDER` names, in its order. Throws `ConfigurationError` that says which setting is missing or forbidden. */
export async function openProviders(dependencies: ProviderDependencies): Promise<ProviderRegistry> {
  const opened: VmProvider[] = [];
  for (const name of dependencies.config.PROVIDER) {
    const open = FACTORIES[name];
    if (open === undefined) throw new ConfigurationError(`PROVIDER names ${name}, which this build does not have`);
    const provider = await open(dependencies);
    dependencies.log.info({ provider: provider.name, hostId: provider.hostId, ...provider.capabilities }, 'provider enabled');
    opened.push(provider);
  }
  return new ProviderRegistry(opened as [VmProvider, ...VmProvider[]]);
}

/** Plain processes are refused where strangers could be next to them. */
async function openLocal({ config, log }: ProviderDependencies): Promise<VmProvider> {
  if (config.NODE_ENV === 'production' && !config.ALLOW_UNSANDBOXED_LOCAL) {
    throw new ConfigurationError(
      'the local provider runs VMs as plain processes of this machine, without any isolation: production refuses it unless ALLOW_UNSANDBOXED_LOCAL=1',
    );
  }
  if (config.PLEXUS_STATE_DIR === undefined) throw new ConfigurationError('PLEXUS_STATE_DIR is not set: the local provider keeps workspaces there');
  const state = path.resolve(config.PLEXUS_STATE_DIR);
  const root = path.join(state, 'vms');
  const environment = runtimeEnvironment(config);
  const cluster = config.PLEXUS_CLUSTER ?? hostIdOf(root);
  const launcher = await probeLauncher({
    namespaces: config.LOCAL_NAMESPACES,
    nice: config.LOCAL_NICE,
    maxOpenFiles: config.LOCAL_MAX_OPEN_FILES,
    maxFileMib: config.LOCAL_MAX_FILE_MIB,
    maxDataMib: config.LOCAL_MAX_DATA_MIB,
    searchPath: environment.PATH ?? '',
    hidden: state,
    log,
  });
  const { RUNTIME_ENTRY: runtimeEntry, CONTROL_PLANE_WS: controlPlaneUrl, LOCAL_ORPHAN_POLICY: orphanPolicy } = config;
  return new LocalProvider({ root, runtimeEntry, cluster, controlPlaneUrl, environment, orphanPolicy, launcher, log });
}

async function openExternal({ config, database, epochs }: ProviderDependencies): Promise<VmProvider> {
  return new ExternalProvider({ incarnations: new PostgresExternalIncarnations(database), epochs, attachMs: config.EXTERNAL_ATTACH_MS });
}
