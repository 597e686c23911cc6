import path from 'node:path';
import { nodeFiles, validateTenantConfig } from '@plexus/agent-config';
import { BUCKETS } from '@plexus/contracts';
import { ConfigFile, issueLine } from './config-file.js';
import { GatewayConfigTarget } from './config-target.js';
import { readPrivate, writePrivate } from './private-file.js';
import { DEMO_INTEGRATOR } from './state.js';
import { connectionOf, type NatsAccess } from './nats-access.js';

export interface FollowConfigOptions {
  readonly file: string;
  /** Where the hash of what was last brought to the mesh is kept. */
  readonly digestFile: string;
  /** State folder: where folders of agents lie that are not configured. */
  readonly stateDir: string;
  /** HTTP address of the gateway, and a token of somebody who may write the configuration. */
  readonly gateway: string;
  readonly token: string;
  readonly access: NatsAccess;
  readonly note: (line: string) => void;
}

export interface FollowedConfig {
  stop(): Promise<void>;
}

/** Keeps a configuration file and the mesh's configuration of tenant `default` the same, from both sides. */
export async function followConfigFile(options: FollowConfigOptions): Promise<FollowedConfig> {
  const { file, digestFile, note } = options;
  const config = new ConfigFile({
    file,
    target: new GatewayConfigTarget(options.gateway, options.token, `file ${path.basename(file)}`),
    note,
    // The mesh runs on this machine, but its services see only text: links of folders and avatar files are looked at here.
    check: (document) => validateTenantConfig(document, { stateDir: options.stateDir, fileSystem: nodeFiles }).issues.map(issueLine),
    memory: { read: () => readPrivate(digestFile), write: (digest) => writePrivate(digestFile, digest) },
  });
  const { connectBus } = await import('@plexus/bus');
  const bus = await connectBus({
    service: 'launcher',
    ...connectionOf(options.access),
    connectTimeoutMs: 60_000,
    log: SILENT,
  });
  await config.start();
  const bucket = await bus.kv(BUCKETS.config);
  const watching = bucket.watch(DEMO_INTEGRATOR.tenant, async () => {
    try {
      await config.writeBack();
    } catch (error) {
      note(`what the mesh changed could not be written to ${file}: ${(error as Error).message}`);
    }
  });
  await watching.ready;
  return {
    stop: async () => {
      await config.stop();
      await bus.close();
    },
  };
}

const ignore = (): void => undefined;
/** The services log what the mesh does; the launcher's own line to NATS comes and goes with it. */
const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore };
