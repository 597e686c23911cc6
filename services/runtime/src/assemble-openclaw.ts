import { startBridgeProcess } from './adapters/openclaw/bridge-process.js';
import type { BridgeModel } from './adapters/openclaw/bridge-wire.js';
import { defaultBridgeCommand } from './adapters/openclaw/default-bridge.js';
import { OpenClawAdapter } from './adapters/openclaw/openclaw-adapter.js';
import { openEndpoint } from './adapters/agents/endpoint-agent.js';
import type { AgentTurn } from './application/ports.js';
import { MODEL_KEY } from './application/key-ring.js';
import type { AgentParts } from './agent-parts.js';
import type { RuntimeConfig } from './config.js';
import { sessionFolder } from './domain/session-folder.js';

/** Sessions of `runtime_type: "openclaw"`. Nothing is started before the first message of one. */
export function assembleOpenClaw({ config, calls, keys, fence, clock, log }: AgentParts): OpenClawAdapter {
  const { workdir, toolEnvironment: env, bridgeCommand: command = defaultBridgeCommand() } = config;
  return new OpenClawAdapter({
    start: (handlers) => startBridgeProcess({ command, cwd: workdir, env }, handlers),
    calls,
    clock,
    log,
    workspaceOf: (sessionId) => sessionFolder(workdir, sessionId).workspace,
    modelOf: (turn) => modelOf(config, keys.get(MODEL_KEY), turn),
    fenceStage: () => fence.stage,
  });
}

/** The endpoint that came with the run; without one, what this runtime was started with, with the owner's own key where there is one. */
function modelOf(config: RuntimeConfig, ownKey: string | undefined, turn: AgentTurn): BridgeModel | undefined {
  const opened = openEndpoint(config, turn);
  if (opened)
    return { provider: opened.provider, model: opened.model, base_url: opened.baseUrl, ...(opened.apiKey !== undefined && { api_key: opened.apiKey }) };
  const { baseUrl } = config.model;
  const apiKey = ownKey ?? config.model.apiKey;
  const model = turn.model ?? config.model.model;
  if (baseUrl === undefined || model === undefined) return undefined;
  return { provider: 'default', model, base_url: baseUrl, ...(apiKey !== undefined && { api_key: apiKey }) };
}
