import type { Clock } from '@plexus/kernel';
import { EchoAgent, whyNoModel } from './adapters/agents/echo-agent.js';
import { EndpointAgent } from './adapters/agents/endpoint-agent.js';
import { ModelAgent } from './adapters/agents/model-agent.js';
import { SemigraphAdapter } from './adapters/agents/semigraph-adapter.js';
import { builtInTools } from './adapters/tools/built-in-tools.js';
import type { Fence } from './application/fence.js';
import { PassThroughWindow } from './application/loop/pass-through-window.js';
import type { MeshCalls } from './application/mesh-calls.js';
import type { Agent, Log, ToolSource } from './application/ports.js';
import type { RuntimeAdapters } from './application/runtime.js';
import type { RuntimeConfig } from './config.js';

export interface AgentParts {
  readonly config: RuntimeConfig;
  readonly calls: MeshCalls;
  readonly fence: Fence;
  readonly clock: Clock;
  readonly log: Log;
}

/** Every kind of agent that this runtime has, by `runtime_type`. */
export function assembleAgents(parts: AgentParts): RuntimeAdapters {
  const { config, fence, clock, log } = parts;
  const semigraph = new SemigraphAdapter({
    workdir: config.workdir,
    model: chooseAgent(config, fence, log),
    sources: toolSources(parts),
    conversation: async () => ({ window: new PassThroughWindow() }),
    fence,
    clock,
    log,
  });
  return { semigraph };
}

/** Of two tools with one name that of the earlier source counts. */
function toolSources({ config, calls, clock }: AgentParts): ToolSource[] {
  return [builtInTools({ environment: config.toolEnvironment, calls, clock })];
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
