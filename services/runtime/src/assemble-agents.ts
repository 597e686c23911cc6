import type { Usage } from '@plexus/vm-protocol';
import { type Conversation, type ConversationOf, SemigraphAdapter } from './adapters/agents/semigraph-adapter.js';
import { MemoryFolder } from './adapters/file/memory-folder.js';
import { McpTools } from './adapters/mcp/mcp-tools.js';
import { SKILL_TOOL, SkillTools, skillIdOf } from './adapters/skills/skill-tools.js';
import { vmSurroundings } from './adapters/skills/vm-surroundings.js';
import { builtInTools } from './adapters/tools/built-in-tools.js';
import { scratchpadTool } from './adapters/tools/scratchpad-tool.js';
import {
  completeWith,
  ConversationWindow,
  type FlushedMemory,
  memoryFlushTurn,
  readContextState,
  SessionMemory,
  summariseWith,
} from './application/context/index.js';
import type { Checkpoint } from './application/loop/checkpoint.js';
import { MeteredAgent } from './application/metered-agent.js';
import type { Agent, ToolSource } from './application/ports.js';
import type { RuntimeAdapters } from './application/runtime.js';
import type { AgentParts } from './agent-parts.js';
import { assembleModel } from './assemble-models.js';
import { assembleOpenClaw } from './assemble-openclaw.js';
import { sessionFolder } from './domain/session-folder.js';

/** Every kind of agent that this runtime has, by `runtime_type`. */
export function assembleAgents(parts: AgentParts): RuntimeAdapters {
  const { config, calls, traces, fence, clock, log } = parts;
  const model = new MeteredAgent({ agent: assembleModel(parts), calls, clock, log });
  const semigraph = new SemigraphAdapter({
    workdir: config.workdir,
    model,
    sources: toolSources(parts),
    conversation: (session) => conversationOf(session, model, parts),
    skillOf: (toolName, input) => (toolName === SKILL_TOOL ? skillIdOf(input) : undefined),
    onDenied: (sessionId, tools) => {
      calls.tell(sessionId, 'audit_log', { event: 'tools_denied', details: { tools } }).catch((error: unknown) => {
        log('warn', 'tools that a session may not use could not be reported', { sessionId, error });
      });
    },
    traces,
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
  // Without a checkpoint the conversation goes on where its files end.
  const start = found ?? (memory.conversation.length > 0 ? { conversation: memory.conversation, run: { runId: '', turns: [] } } : undefined);
  const state = readContextState(found?.context) ?? memory.context;
  const window = new ConversationWindow({
    clock,
    log,
    summarise: summariseWith(model, now.turn, used),
    flushMemories: memoryFlushTurn({ complete: completeWith(model, now.turn, used), write }),
    prune: { mode: data.agent_config.context_pruning ?? 'off' },
    ...(state && { state }),
  });
  const files = { save: (checkpoint: Checkpoint) => memory.save(checkpoint), read: async () => (await memory.snapshot()).short_term_memory };
  return { window, memory: files, tools: [scratchpadTool(memory)], ...(start && { found: start }) };
}

/** Of two tools with one name that of the earlier source counts. */
function toolSources({ config, calls, fence, clock, log }: AgentParts): ToolSource[] {
  const { vmId, epoch, bootstrapSecret, toolEnvironment: variables } = config;
  const workspaceOf = (sessionId: string): string => sessionFolder(config.workdir, sessionId).workspace;
  return [
    builtInTools({ environment: variables, calls, clock }),
    new SkillTools({ mesh: calls, surroundings: () => vmSurroundings(variables), log }),
    new McpTools({ mesh: calls, incarnation: { vmId, epoch, bootstrapSecret }, workspaceOf, variables, fenceStage: () => fence.stage, clock, log }),
  ];
}
