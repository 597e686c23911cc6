import path from 'node:path';
import type { ChannelProcess } from './channel-processes.js';
import type { Environment } from './config.js';
import { launchService } from './launch-service.js';
import type { MeshProcesses } from './mesh-processes.js';
import { rememberPorts, startOnPreferredPort } from './ports.js';

export interface LaunchedChannel {
  readonly name: ChannelProcess;
  readonly portsFile: string;
  readonly env: Environment;
  readonly nodeFlags: readonly string[];
}

/**
 * Starts the process of one adapter. The port on which platforms call it is `PLEXUS_CHANNEL_<ADAPTER>_PORT`, else that of the last start; it is opened
 * only when an account needs it.
 */
export async function launchChannel(processes: MeshProcesses, { name, portsFile, env, nodeFlags }: LaunchedChannel): Promise<void> {
  const wanted = env[`PLEXUS_${name.replace('-', '_').toUpperCase()}_PORT`];
  const script = path.join('dist', 'src', name.replace('channel-', ''), 'main.js');
  const start = (port: number | string) =>
    launchService(processes, { name, project: 'channels', script, env: { ...env, CHANNEL_HTTP_PORT: String(port) }, nodeFlags });
  let port: number;
  try {
    if (wanted) await start(wanted);
    port = wanted ? Number(wanted) : await startOnPreferredPort(portsFile, name, start);
  } catch (error) {
    // Otherwise the mesh would count it among what has to come back.
    await processes.retire(name, 1_000);
    throw error;
  }
  rememberPorts(portsFile, { [name]: port });
}
