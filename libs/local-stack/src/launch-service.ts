import { existsSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ChannelProcess } from './channel-processes.js';
import type { Environment } from './config.js';
import type { MeshProcesses } from './mesh-processes.js';
import type { ServiceName } from './mesh-settings.js';
import { isExecutable } from './nats-binary.js';
import { repositoryRoot } from './repository.js';
import { startService } from './service-process.js';
import { StartError } from './start-error.js';
import type { Life } from './supervised.js';

export const READY_TIMEOUT_MS = 60_000;

export interface LaunchedProgram {
  readonly name: ServiceName | ChannelProcess;
  /** Folder of the project and compiled file, below `services/`. */
  readonly project: string;
  readonly script: string;
  /** Complete environment. */
  readonly env: Environment;
  readonly nodeFlags: readonly string[];
}

/** Starts the compiled program of a service and keeps it running; settles when it is ready for the first time. */
export async function launchService(processes: MeshProcesses, program: LaunchedProgram): Promise<Life> {
  const { name, project, env, nodeFlags } = program;
  const root = repositoryRoot();
  const cwd = path.join(root, 'services', project);
  const script = path.join(cwd, program.script);
  if (!existsSync(script)) throw new StartError('PROCESS_FAILED', `${name} is not built: there is no ${script}.`, 'Run `npm run build`.');
  const log = processes.log(name);
  const bundledNode = path.join(root, 'node_modules', '.bin', 'node');
  const node = isExecutable(bundledNode) ? bundledNode : process.execPath;
  const telemetry = pathToFileURL(path.join(root, 'libs', 'telemetry', 'dist', 'src', 'register.js')).href;
  return processes.supervise(name, (abort) =>
    startService({ name, node, nodeFlags: [...nodeFlags, '--import', telemetry], script, cwd, env, log, readyTimeoutMs: READY_TIMEOUT_MS }, abort),
  );
}
