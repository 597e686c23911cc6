import type { Clock } from '@plexus/kernel';
import type { Usage } from '@plexus/vm-protocol';
import { EchoAgent, whyNoModel } from './adapters/agents/echo-agent.js';
import { EndpointAgent } from './adapters/agents/endpoint-agent.js';
import { ModelAgent } from './adapters/agents/model-agent.js';
import { type ConversationOf, SemigraphAdapter } from './adapters/agents/semigraph-adapter.js';
import { McpTools } from './adapters/mcp/mcp-tools.js';
import { SKILL_TOOL, SkillTools, skillIdOf } from './adapters/skills/skill-tools.js';
import { vmSurroundings } from './adapters/skills/vm-surroundings.js';
import { builtInTools } from './adapters/tools/built-in-tools.js';
import type { Fence } from './application/fence.js';
import {
  type ContextPort,
  completeWith,
  ConversationWindow,
  type FlushedMemory,
  memoryFlushTurn,
  readContextState,
  summariseWith,
} from './application/context/index.js';
import type { MeshCalls } from './application/mesh-calls.js';
import { MeteredAgent } from './application/metered-agent.js';
import type { Agent, Log, ToolSource } from './application/ports.js';
import type { RuntimeAdapters } from './application/runtime.js';
import { assembleOpenClaw } from './assemble-openclaw.js';
import type { RuntimeConfig } from './config.js';
import { sessionFolder } from './domain/session-folder.js';

export interface AgentParts {
  readonly config: RuntimeConfig;
  readonly calls: MeshCalls;
  readonly fence: Fence;
  readonly clock: Clock;
  readonly log: Log;
}

/** Every kind of agent that this runtime has, by `runtime_type`. */
export function assembleAgents(parts: AgentParts): RuntimeAdapters {
  const { config, calls, fence, clock, log } = parts;
  const model = new MeteredAgent({ agent: chooseAgent(config, fence, log), calls, clock, log });
  const semigraph = new SemigraphAdapter({
    workdir: config.workdir,
    model,
    sources: toolSources(parts),
    conversation: async (session) => ({ window: windowOf(session, model, parts) }),
    skillOf: (toolName, input) => (toolName === SKILL_TOOL ? skillIdOf(input) : undefined),
    fence,
    clock,
    log,
  });
  return { semigraph, openclaw: assembleOpenClaw(parts) };
}

/** The window of a session. Summaries and memories are made by the model of the run that is going on. */
function windowOf({ data, found, now }: ConversationOf, model: Agent, { calls, clock, log }: AgentParts): ContextPort {
  const used = (usage: Usage): void => now.used(usage);
  const write = (memory: FlushedMemory): Promise<void> => calls.tell(data.session_id, 'memory_write', { ...memory });
  const state = readContextState(found?.context);
  return new ConversationWindow({
    clock,
    log,
    summarise: summariseWith(model, now.turn, used),
    flushMemories: memoryFlushTurn({ complete: completeWith(model, now.turn, used), write }),
    ...(state && { state }),
  });
}

/** Of two tools with one name that of the earlier source counts. */
function toolSources({ config, calls, clock, log }: AgentParts): ToolSource[] {
  const { vmId, epoch, bootstrapSecret, toolEnvironment: variables } = config;
  const workspaceOf = (sessionId: string): string => sessionFolder(config.workdir, sessionId).workspace;
  return [
    builtInTools({ environment: variables, calls, clock }),
    new SkillTools({ mesh: calls, surroundings: () => vmSurroundings(variables), log }),
    new McpTools({ mesh: calls, incarnation: { vmId, epoch, bootstrapSecret }, workspaceOf, variables, clock, log }),
  ];
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
