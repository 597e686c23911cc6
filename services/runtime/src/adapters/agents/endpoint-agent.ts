import { parseJson } from '@plexus/kernel';
import { MODEL_ENDPOINT_PURPOSE, openBox } from '@plexus/vm-protocol';
import { type Agent, AgentFailure, type ModelPiece, type Turn } from '../../application/ports.js';

/** Where one turn's model is. Only ever in memory. */
export interface OpenedEndpoint {
  readonly provider: string;
  readonly baseUrl: string;
  readonly model: string;
  readonly apiKey?: string;
}

/** Who this machine is: what is sealed for it opens with these. */
export interface Incarnation {
  readonly vmId: string;
  readonly epoch: number;
  readonly bootstrapSecret: string;
}

export interface EndpointAgentOptions extends Incarnation {
  /** Answers turns that come without an endpoint. */
  readonly without: Agent;
  readonly at: (endpoint: OpenedEndpoint) => Agent;
}

/** Asks the endpoint that comes sealed with a run; without one, what this runtime was started with. */
export class EndpointAgent implements Agent {
  constructor(private readonly options: EndpointAgentOptions) {}

  async *run(turn: Turn, signal: AbortSignal): AsyncGenerator<ModelPiece> {
    const endpoint = openEndpoint(this.options, turn);
    yield* (endpoint === undefined ? this.options.without : this.options.at(endpoint)).run(turn, signal);
  }
}

/** The endpoint that came with a turn; undefined when none did. Throws `AgentFailure` when the mesh says why it cannot be used, or it does not open. */
export function openEndpoint({ vmId, epoch, bootstrapSecret }: Incarnation, { endpoint, model }: Turn): OpenedEndpoint | undefined {
  if (endpoint === undefined) return undefined;
  const { provider, sealed, fault } = endpoint.offer;
  if (fault) throw new AgentFailure(fault.code, fault.message);
  if (!sealed?.length) return undefined;
  if (model === undefined) throw new AgentFailure('MODEL_UNAVAILABLE', `The run names the model provider “${provider}”, but no model.`);
  for (const box of sealed) {
    const text = openBox(bootstrapSecret, { vmId, epoch, purpose: MODEL_ENDPOINT_PURPOSE, name: endpoint.boxName }, box);
    const opened = text === undefined ? undefined : parseJson(text, { maxBytes: 65_536 });
    if (!opened?.ok) continue;
    const { baseUrl, apiKey } = opened.value as { baseUrl: string; apiKey?: string };
    return { provider, model, baseUrl, ...(apiKey !== undefined && { apiKey }) };
  }
  throw new AgentFailure('MODEL_KEY_UNAVAILABLE', `What was sealed for the model provider “${provider}” cannot be opened by this machine.`);
}
