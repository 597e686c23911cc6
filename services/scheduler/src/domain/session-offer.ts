import { resolveModel, resolveRunSettings, resolveSkills, type TenantConfig, toolRules } from '@plexus/agent-config';
import type { SkillIndexEntry } from '@plexus/vm-protocol';
import type { SkillSummary } from './skill-manifest.js';

/** Settings of an agent beside prompt and model, as they stand in `agent_config`. Absent: nothing is configured. */
export interface AgentOffer {
  readonly temperature?: number;
  readonly max_tokens?: number;
  readonly context_tokens?: number;
  readonly context_pruning?: 'off' | 'cache-ttl';
  readonly tools?: readonly { readonly allow: readonly string[]; readonly deny: readonly string[] }[];
}

/** Skills that one session is told of. More would be longer than what a model reads before it begins. */
const MAX_SKILLS = 200;
/** Their entries together: a frame has its prompt and its snapshot to carry too, and has to fit one message. */
const MAX_INDEX_BYTES = 131_072;

/** Temperature, longest answer, limits of the context, and tool rules. */
export function agentOffer(config: TenantConfig, agentId: string): AgentOffer {
  const { temperature, maxTokens, contextTokens, contextPruning } = resolveRunSettings(config, agentId);
  const { provider } = resolveModel(config, agentId);
  const tools = toolRules(config, agentId, { sandboxed: false, ...(provider !== undefined && { provider }) });
  return {
    ...(temperature !== undefined && { temperature }),
    ...(maxTokens !== undefined && { max_tokens: maxTokens }),
    ...(contextTokens !== undefined && { context_tokens: contextTokens }),
    ...(contextPruning !== undefined && { context_pruning: contextPruning }),
    ...(tools.length > 0 && { tools }),
  };
}

/** The skills that an agent may use, as `skill_index` of the VM protocol; the first by name, when there are more than a frame takes. */
export function skillIndex(skills: readonly SkillSummary[], config: TenantConfig, agentId: string): SkillIndexEntry[] {
  const isAllowed = resolveSkills(config, agentId);
  const entries = skills
    .filter(({ id }) => isAllowed(id))
    .slice(0, MAX_SKILLS)
    .map(({ id, name, description, version, source, hash, inventory, requires }) => ({
      id,
      name,
      description,
      version,
      source,
      hash,
      file_inventory: inventory,
      requires,
    }));
  let bytes = 0;
  const behind = entries.findIndex((entry) => {
    bytes += Buffer.byteLength(JSON.stringify(entry));
    return bytes > MAX_INDEX_BYTES;
  });
  return behind < 0 ? entries : entries.slice(0, behind);
}
