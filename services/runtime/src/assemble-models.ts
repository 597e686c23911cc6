import type { Clock } from '@plexus/kernel';
import { EchoAgent, whyNoModel } from './adapters/agents/echo-agent.js';
import { EndpointAgent, openEndpoint } from './adapters/agents/endpoint-agent.js';
import { FailoverAgent } from './adapters/agents/failover-agent.js';
import { ModelAgent } from './adapters/agents/model-agent.js';
import type { Fence } from './application/fence.js';
import { candidateId, ModelFailover } from './application/model-failover.js';
import { type Agent, AgentFailure, type Log, type Turn } from './application/ports.js';
import type { RuntimeConfig } from './config.js';

export interface ModelParts {
  readonly config: RuntimeConfig;
  readonly fence: Fence;
  readonly clock: Clock;
  readonly log: Log;
}

/** Who answers model calls: the endpoint that comes with a run, its fallbacks in turn, else what this runtime was started with. */
export function assembleModel({ config, fence, clock, log }: ModelParts): Agent {
  const { vmId, epoch, bootstrapSecret } = config;
  const beforeCall = (signal: AbortSignal): Promise<void> => fence.open(signal);
  // One attempt each: whether there is another, and of whom, is decided in one place.
  const one = new EndpointAgent({
    vmId,
    epoch,
    bootstrapSecret,
    without: agentWithout(config.model, beforeCall, clock, log),
    at: (endpoint) => new ModelAgent({ ...endpoint, attempts: 1, log, beforeCall, clock }),
  });
  return new FailoverAgent({ one, identify: (turn) => identityOf(turn, config), failover: new ModelFailover({ clock }), clock, log });
}

/** Who answers runs that come without an endpoint. */
function agentWithout(settings: RuntimeConfig['model'], beforeCall: (signal: AbortSignal) => Promise<void>, clock: Clock, log: Log): Agent {
  const { baseUrl, model, apiKey } = settings;
  if (baseUrl === undefined || model === undefined) {
    log('info', 'no model is configured here: messages that bring no endpoint are echoed');
    return new EchoAgent(whyNoModel(settings));
  }
  return new ModelAgent({ baseUrl, model, apiKey, attempts: 1, log, beforeCall, clock });
}

function identityOf(turn: Turn, { vmId, epoch, bootstrapSecret, model: settings }: RuntimeConfig): string {
  const { baseUrl = '', model = '', apiKey } = settings;
  try {
    const opened = openEndpoint({ vmId, epoch, bootstrapSecret }, turn);
    return candidateId(opened ?? { baseUrl, model: turn.model ?? model, apiKey });
  } catch (error) {
    // It cannot be asked at all; the call itself says why, and the next one is asked.
    if (error instanceof AgentFailure) return candidateId({ baseUrl: turn.endpoint?.offer.provider ?? '', model: turn.model ?? '' });
    throw error;
  }
}
