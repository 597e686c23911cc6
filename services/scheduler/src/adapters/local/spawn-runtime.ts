import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import type { Bootstrap, IncarnationKey, InstanceSpec } from '../../application/provider-port.js';
import { ProviderError } from '../../application/provider-port.js';
import type { Launcher } from './launcher.js';
import { identify, type ProcessIdentity } from './process-table.js';
import type { InstanceRecord, VmFolder } from './vm-folder.js';

export interface SpawnOptions {
  readonly runtimeEntry: string;
  readonly cluster: string;
  readonly controlPlaneUrl: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly orphanPolicy?: 'adopt' | 'die';
  readonly launcher: Launcher;
  readonly log: { warn(fields: object, message: string): void };
}

export interface Spawned {
  /** Undefined: it ended before anybody could look. */
  readonly process: ProcessIdentity | undefined;
  /** Resolves when its end has been written down. */
  readonly ended: Promise<void>;
}

/** Starts a runtime and hands its secrets over. What is known is on disk before and after every step, so that no crash hides a process. */
export async function spawnRuntime(options: SpawnOptions, folder: VmFolder, spec: InstanceSpec, bootstrap: Bootstrap): Promise<Spawned> {
  const intent: InstanceRecord = {
    name: `plexus-${spec.vmId}`,
    vmId: spec.vmId,
    epoch: spec.epoch,
    nonce: randomBytes(8).toString('hex'),
    createdAt: new Date().toISOString(),
  };
  folder.write(intent);
  const log = folder.openLog();
  const [program, ...args] = options.launcher.wrap([process.execPath, options.runtimeEntry], folder.workspace);
  let child: ChildProcess;
  try {
    child = spawn(program, args, {
      cwd: folder.workspace,
      env: environmentOf(options, folder, spec),
      detached: true, // a group and session of its own: our end is not its end
      stdio: ['pipe', log, log],
    });
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  } catch (cause) {
    throw new ProviderError('START_FAILED', `${program} could not be started: ${(cause as Error).message}`, { cause });
  } finally {
    closeSync(log);
  }
  child.unref();
  const ended = untilEnded(child, folder, spec, options.log);
  const identity = identify(child.pid as number);
  if (identity !== undefined) folder.write({ ...intent, process: identity });
  else return { process: undefined, ended };
  await handOver(child, bootstrap, options.orphanPolicy ?? 'adopt');
  amend(folder, spec.epoch, { handedOver: true });
  return { process: identity, ended };
}

function environmentOf(options: SpawnOptions, folder: VmFolder, spec: InstanceSpec): Record<string, string> {
  return {
    ...spec.template?.environment,
    ...options.environment,
    CONTROL_PLANE_WS: options.controlPlaneUrl,
    PLEXUS_WORKDIR: folder.workspace,
    PLEXUS_CLUSTER: options.cluster,
    VM_ID: spec.vmId,
    VM_USER_ID: spec.userId,
    VM_EPOCH: String(spec.epoch),
  };
}

function untilEnded(child: ChildProcess, folder: VmFolder, { vmId, epoch }: IncarnationKey, log: SpawnOptions['log']): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', (code, signalName) => {
      try {
        amend(folder, epoch, { exit: { ...(code === null ? {} : { code }), ...(signalName === null ? {} : { signal: signalName }) } });
      } catch (error) {
        log.warn({ vmId, epoch, err: error }, 'how a runtime ended could not be written down');
      }
      resolve();
    });
  });
}

function amend(folder: VmFolder, epoch: number, change: Partial<InstanceRecord>): void {
  const record = folder.read();
  if (record?.epoch === epoch) folder.write({ ...record, ...change });
}

/**
 * Secrets go through stdin only, once. `adopt`: then it is closed, because a runtime that needed it open would not survive us. `die`: it stays open, and its
 * end is ours.
 */
async function handOver(child: ChildProcess, bootstrap: Bootstrap, orphanPolicy: 'adopt' | 'die'): Promise<void> {
  const stdin = child.stdin;
  if (stdin === null) throw new TypeError('the runtime has no stdin');
  const line = `${JSON.stringify({ ...bootstrap, orphanPolicy })}\n`;
  // A runtime that dies while it is being told has an exit that says why; the broken pipe adds nothing.
  stdin.on('error', () => {});
  await new Promise<void>((resolve) => {
    stdin.once('close', () => resolve());
    if (orphanPolicy === 'die') stdin.write(line, () => resolve());
    else stdin.end(line, () => resolve());
  });
  // An open pipe alone must not keep this process alive.
  (stdin as unknown as { unref(): void }).unref();
}
