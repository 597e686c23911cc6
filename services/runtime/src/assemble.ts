import { type Clock, systemClock } from '@plexus/kernel';
import { EchoAgent, whyNoModel } from './adapters/agents/echo-agent.js';
import { EndpointAgent } from './adapters/agents/endpoint-agent.js';
import { ModelAgent } from './adapters/agents/model-agent.js';
import type { LinkExit } from './adapters/ws/gateway-link.js';
import type { Fence } from './application/fence.js';
import type { Agent, AgentPiece, Log, ModelPiece } from './application/ports.js';
import { Runtime } from './application/runtime.js';
import { assembleMesh } from './assemble-mesh.js';
import type { RuntimeConfig } from './config.js';

export interface Assembled {
  /** Runs until the mesh sends us away, was silent for too long, or the signal aborts. Then everything is stopped and the journal closed. */
  run(signal: AbortSignal): Promise<LinkExit>;
}

/** Puts the parts together. */
export function assemble(config: RuntimeConfig, log: Log, clock: Clock = systemClock): Assembled {
  const mesh = assembleMesh(config, log, clock);
  const { state, journal, fence, uplink, calls, snapshots, counters } = mesh;
  const agent = chooseAgent(config, fence, log);
  const runtime = new Runtime(state, {
    adapters: { semigraph: { start: () => ({ run: (turn, signal) => spoken(agent.run(turn, signal)) }) } },
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
      journal.close();
      log('info', 'stopped', { ...exit, ...counters });
      return exit;
    },
  };
}

function chooseAgent(config: RuntimeConfig, fence: Fence, log: Log): Agent {
  const { vmId, epoch, bootstrapSecret, model: settings } = config;
  const beforeCall = (signal: AbortSignal): Promise<void> => fence.open(signal);
  return new EndpointAgent({
    vmId,
    epoch,
    bootstrapSecret,
    without: agentWithout(settings, beforeCall, log),
    at: (endpoint) => new ModelAgent({ ...endpoint, log, beforeCall }),
  });
}

/** Who answers runs that come without an endpoint. */
function agentWithout(settings: RuntimeConfig['model'], beforeCall: (signal: AbortSignal) => Promise<void>, log: Log): Agent {
  const { baseUrl, model, apiKey } = settings;
  if (baseUrl === undefined || model === undefined) {
    log('info', 'no model is configured here: messages that bring no endpoint are echoed');
    return new EchoAgent(whyNoModel(settings));
  }
  return new ModelAgent({ baseUrl, model, apiKey, log, beforeCall });
}

/** What a model says, for a session that offers it no tools. */
async function* spoken(pieces: AsyncIterable<ModelPiece>): AsyncGenerator<AgentPiece> {
  for await (const piece of pieces) if (piece.type !== 'tool_call') yield piece;
}
