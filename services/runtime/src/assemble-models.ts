import type { Clock } from '@plexus/kernel';
import { EchoAgent, whyNoModel } from './adapters/agents/echo-agent.js';
import { EndpointAgent, openEndpoint } from './adapters/agents/endpoint-agent.js';
import { FailoverAgent } from './adapters/agents/failover-agent.js';
import { ModelAgent } from './adapters/agents/model-agent.js';
import { PictureAgent } from './adapters/agents/picture-agent.js';
import { ToolAverseAgent } from './adapters/agents/tool-averse-agent.js';
import type { AttachmentBytes } from './application/attached-files.js';
import type { Fence } from './application/fence.js';
import { type KeyRing, MODEL_KEY } from './application/key-ring.js';
import type { ModelDefaults } from './application/model-defaults.js';
import { candidateId, ModelFailover } from './application/model-failover.js';
import { type Agent, AgentFailure, type Log, type Turn } from './application/ports.js';
import type { RunTraces } from './application/run-traces.js';
import { TracedAgent } from './application/traced-agent.js';
import type { RuntimeConfig } from './config.js';

export interface ModelParts {
  readonly config: RuntimeConfig;
  readonly keys: Pick<KeyRing, 'get'>;
  readonly models: Pick<ModelDefaults, 'fallbacks'>;
  readonly traces: RunTraces;
  readonly attachments: AttachmentBytes;
  readonly fence: Fence;
  readonly clock: Clock;
  readonly log: Log;
}

/** Who answers model calls: the endpoint that comes with a run, its fallbacks in turn, else what this runtime was started with. */
export function assembleModel(parts: ModelParts): Agent {
  const { config, keys, models, traces, fence, clock, log } = parts;
  const { vmId, epoch, bootstrapSecret } = config;
  const beforeCall = (signal: AbortSignal): Promise<void> => fence.open(signal);
  // One attempt each: whether there is another, and of whom, is decided in one place.
  const one = new EndpointAgent({
    vmId,
    epoch,
    bootstrapSecret,
    without: agentWithout(parts, beforeCall),
    at: (endpoint) => new ModelAgent({ ...endpoint, attempts: 1, log, beforeCall, clock }),
  });
  return new FailoverAgent({
    one: new PictureAgent(new ToolAverseAgent(new TracedAgent(one, traces, config.model.model), log), parts.attachments, clock, log),
    identify: (turn) => identityOf(turn, config, keys),
    failover: new ModelFailover({ clock }),
    defaults: () => models.fallbacks,
    clock,
    log,
  });
}

/** Who answers runs that come without an endpoint. The owner's own key counts more than the one of the start, and may come later. */
function agentWithout({ config, keys, clock, log }: ModelParts, beforeCall: (signal: AbortSignal) => Promise<void>): Agent {
  const { baseUrl, model, apiKey } = config.model;
  if (baseUrl === undefined || model === undefined) {
    log('info', 'no model is configured here: messages that bring no endpoint are echoed');
    return new EchoAgent(whyNoModel(config.model));
  }
  const now = (): ModelAgent => new ModelAgent({ baseUrl, model, apiKey: keys.get(MODEL_KEY) ?? apiKey, attempts: 1, log, beforeCall, clock });
  return { run: (turn, signal) => now().run(turn, signal) };
}

function identityOf(turn: Turn, { vmId, epoch, bootstrapSecret, model: settings }: RuntimeConfig, keys: Pick<KeyRing, 'get'>): string {
  const { baseUrl = '', model = '' } = settings;
  const apiKey = keys.get(MODEL_KEY) ?? settings.apiKey;
  try {
    const opened = openEndpoint({ vmId, epoch, bootstrapSecret }, turn);
    return candidateId(opened ?? { baseUrl, model: turn.model ?? model, apiKey });
  } catch (error) {
    // It cannot be asked at all; the call itself says why, and the next one is asked.
    if (error instanceof AgentFailure) return candidateId({ baseUrl: turn.endpoint?.offer.provider ?? '', model: turn.model ?? '' });
    throw error;
  }
}
