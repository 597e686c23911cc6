import type { Clock } from '@plexus/kernel';
import type { MeshCalls } from '../../application/mesh-calls.js';
import type { ToolSource } from '../../application/ports.js';
import { execTool } from './exec-tool.js';
import { FILE_TOOLS } from './file-tools.js';
import { memoryTools } from './memory-tools.js';
import { notifyTools } from './notify-tools.js';

export interface BuiltInToolsOptions {
  /** What commands see of the environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly calls: MeshCalls;
  readonly clock: Clock;
}

/** The tools that every session has: shell, files, memory, notifications and research. */
export function builtInTools({ environment, calls, clock }: BuiltInToolsOptions): ToolSource {
  const tools = [execTool(environment, clock), ...FILE_TOOLS, ...memoryTools(calls), ...notifyTools(calls)];
  return { tools: async () => tools };
}
