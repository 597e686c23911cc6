import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { CLUSTER_MARKER } from './leftovers.js';

/**
 * Waits for the end of the launcher (its end of the pipe closes), then ends what carries the cluster's marker and is still there when orderly
 * shutdowns are over. Only processes that were there at that moment: a new start on the same state may be under way.
 */
const WATCH = `
carries() { tr '\\0' '\\n' 2>/dev/null <"/proc/$1/environ" | grep -qxF "$marker"; }
marker=$1
read -r _
for entry in /proc/[0-9]*; do
  pid=\${entry#/proc/}
  if carries "$pid"; then left="$left $pid"; fi
done
sleep "$2"
for signal in TERM KILL; do
  some=
  for pid in $left; do
    if carries "$pid"; then kill -s "$signal" "$pid" && some=1; fi
  done
  if [ -z "$some" ]; then exit; fi
  sleep 2
done
`;

const GRACE_SECONDS = 5;

/** Ends the VM runtimes (and whatever else hangs) of a launcher that was killed and could not do it itself. Linux only. */
export class OrphanWatch {
  private constructor(private readonly watcher: ChildProcess | undefined) {}

  static start(clusterId: string): OrphanWatch {
    if (process.platform !== 'linux') return new OrphanWatch(undefined);
    const watcher = spawn('/bin/sh', ['-c', WATCH, 'plexus-orphan-watch', `${CLUSTER_MARKER}=${clusterId}`, String(GRACE_SECONDS)], {
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { PATH: '/usr/bin:/bin' },
      detached: true,
    });
    watcher.on('error', () => {}); // without a shell, the next start finds the orphans
    watcher.unref();
    (watcher.stdin as unknown as { unref(): void }).unref();
    return new OrphanWatch(watcher);
  }

  /** Everything was stopped in order: there is nothing to watch for. */
  async stop(): Promise<void> {
    if (this.watcher === undefined || this.watcher.exitCode !== null || this.watcher.signalCode !== null) return;
    this.watcher.ref(); // its end is awaited now
    const exit = once(this.watcher, 'exit');
    if (this.watcher.kill('SIGKILL')) await exit;
  }
}
