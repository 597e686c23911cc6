import { type Clock, systemClock } from '@plexus/kernel';
import type { LinkExit } from './adapters/ws/gateway-link.js';
import type { Log } from './application/ports.js';
import { assembleMesh, type Sessions } from './assemble-mesh.js';
import type { RuntimeConfig } from './config.js';

export interface Assembled {
  /** Runs until the mesh sends us away, was silent for too long, or the signal aborts. Then everything is stopped and the journal closed. */
  run(signal: AbortSignal): Promise<LinkExit>;
}

/** Puts the parts together: those that hold a connection now, sessions and agents while the mesh looks at our credentials. */
export function assemble(config: RuntimeConfig, log: Log, clock: Clock = systemClock): Assembled {
  const mesh = assembleMesh(config, log, clock);
  const { state, journal, calls, snapshots, counters } = mesh;
  let sessions: Sessions | undefined;
  let loading: Promise<void> | undefined;
  const load = async (): Promise<void> => {
    const { assembleSessions } = await import('./assemble-sessions.js');
    sessions = assembleSessions(mesh, config, log, clock);
  };
  const link = mesh.linkTo({
    get loaded() {
      return sessions;
    },
    load() {
      loading ??= load();
      return loading;
    },
  });

  return {
    async run(signal) {
      if (state.initialised) {
        log('info', 'journal of this incarnation found, going on', { received: state.received, spooled: mesh.spooled, runs: state.runs.size });
        // The first frame already says what goes on here.
        loading ??= load();
        await loading;
      }
      const stop = new AbortController();
      const taking = snapshots.run(() => sessions?.runtime.snapshotSources() ?? [], stop.signal);
      const exit = await link.run(signal);
      stop.abort();
      await taking;
      calls.close();
      await sessions?.runtime.abandon();
      // Whatever becomes of them, the journal is closed.
      await sessions?.close();
      journal.close();
      log('info', 'stopped', { ...exit, ...counters });
      return exit;
    },
  };
}
