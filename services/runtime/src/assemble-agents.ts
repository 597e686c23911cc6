import type { Usage } from '@plexus/vm-protocol';
import { EchoAgent, whyNoModel } from './adapters/agents/echo-agent.js';
import { EndpointAgent } from './adapters/agents/endpoint-agent.js';
import { ModelAgent } from './adapters/agents/model-agent.js';
import { type Conversation, type ConversationOf, SemigraphAdapter } from './adapters/agents/semigraph-adapter.js';
import { MemoryFolder } from './adapters/file/memory-folder.js';
import { McpTools } from './adapters/mcp/mcp-tools.js';
import { SKILL_TOOL, SkillTools, skillIdOf } from './adapters/skills/skill-tools.js';
import { vmSurroundings } from './adapters/skills/vm-surroundings.js';
import { builtInTools } from './adapters/tools/built-in-tools.js';
import type { Fence } from './application/fence.js';
import {
  completeWith,
  ConversationWindow,
  type FlushedMemory,
  memoryFlushTurn,
  readContextState,
  SessionMemory,
  summariseWith,
} from './application/context/index.js';
import { MeteredAgent } from './application/metered-agent.js';
import type { Agent, Log, ToolSource } from './application/ports.js';
import type { RuntimeAdapters } from './application/runtime.js';
import type { AgentParts } from './agent-parts.js';
import { assembleOpenClaw } from './assemble-openclaw.js';
import type { RuntimeConfig } from './config.js';
import { sessionFolder } from './domain/session-folder.js';

/** Every kind of agent that this runtime has, by `runtime_type`. */
export function assembleAgents(parts: AgentParts): RuntimeAdapters {
  const { config, calls, fence, clock, log } = parts;
  const model = new MeteredAgent({ agent: chooseAgent(config, fence, log), calls, clock, log });
  const semigraph = new SemigraphAdapter({
    workdir: config.workdir,
    model,
    sources: toolSources(parts),
    conversation: (session) => conversationOf(session, model, parts),
    skillOf: (toolName, input) => (toolName === SKILL_TOOL ? skillIdOf(input) : undefined),
    fence,
    clock,
    log,
  });
  return { semigraph, openclaw: assembleOpenClaw(parts) };
}

/** Window and files of a session. Summaries and memories are made by the model of the run that is going on. */
async function conversationOf({ data, memoryFolder, found, now }: ConversationOf, model: Agent, { calls, clock, log }: AgentParts): Promise<Conversation> {
  const memory = await SessionMemory.open(new MemoryFolder(memoryFolder), { log });
  const used = (usage: Usage): void => now.used(usage);
  const write = (note: FlushedMemory): Promise<void> => calls.tell(data.session_id, 'memory_write', { ...note });
  const state = readContextState(found?.context) ?? memory.context;
  const window = new ConversationWindow({
    clock,
    log,
    summarise: summariseWith(model, now.turn, used),
    flushMemories: memoryFlushTurn({ complete: completeWith(model, now.turn, used), write }),
    ...(state && { state }),
  });
  return { window, memory: { save: (checkpoint) => memory.save(checkpoint), read: async () => (await memory.snapshot()).short_term_memory } };
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
