import { type Clock, systemClock } from '@plexus/kernel';
import type { LinkExit } from './adapters/ws/gateway-link.js';
import type { Log } from './application/ports.js';
import { Runtime } from './application/runtime.js';
import { assembleAgents } from './assemble-agents.js';
import { assembleMesh } from './assemble-mesh.js';
import type { RuntimeConfig } from './config.js';

export interface Assembled {
  /** Runs until the mesh sends us away, was silent for too long, or the signal aborts. Then everything is stopped and the journal closed. */
  run(signal: AbortSignal): Promise<LinkExit>;
}

/** Puts the parts together. */
export function assemble(config: RuntimeConfig, log: Log, clock: Clock = systemClock): Assembled {
  const mesh = assembleMesh(config, log, clock);
  const { state, journal, fence, uplink, calls, snapshots, keys, models, counters } = mesh;
  const adapters = assembleAgents({ config, calls, keys, models, fence, clock, log });
  const runtime = new Runtime(state, {
    adapters,
    uplink,
    snapshots,
    fence,
    clock,
    log,
  });
  const link = mesh.linkTo(runtime);

  return {
    async run(signal) {
      if (state.initialised)
        log('info', 'journal of this incarnation found, going on', { received: state.received, spooled: mesh.spooled, runs: state.runs.size });
      runtime.recover();
      const stop = new AbortController();
      const taking = snapshots.run(() => runtime.snapshotSources(), stop.signal);
      const exit = await link.run(signal);
      stop.abort();
      await taking;
      calls.close();
      await runtime.abandon();
      // Whatever becomes of them, the journal is closed.
      await Promise.allSettled(Object.values(adapters).map((adapter) => adapter.close?.()));
      journal.close();
      log('info', 'stopped', { ...exit, ...counters });
      return exit;
    },
  };
}
