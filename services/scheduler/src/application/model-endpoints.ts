import type { Result } from '@plexus/kernel';
import { type MeshFrameOf, MODEL_ENDPOINT_PURPOSE, type ModelEndpointOffer, sealBox } from '@plexus/vm-protocol';
import type { FrameBatch, IncarnationKey } from './ports.js';

/** Where a configured provider is, with its key. */
export interface ModelEndpoint {
  readonly baseUrl: string;
  readonly apiKey?: string;
}

/** Why it cannot be said; names settings and references, never values. */
export interface ModelEndpointFault {
  readonly code: 'MODEL_UNAVAILABLE' | 'MODEL_KEY_UNAVAILABLE';
  readonly message: string;
}

/** Looks an endpoint up in the configuration of now, and resolves its references. */
export type ResolveModelEndpoint = (tenant: string, provider: string) => Result<ModelEndpoint, ModelEndpointFault>;

type Frame = FrameBatch['frames'][number]['frame'];
type UserMessage = Pick<MeshFrameOf<'user_message'>, 'session_id' | 'data'>;

/**
 * Puts the endpoints of its model and of the fallbacks into a message that is about to leave for a VM, sealed for that incarnation. What is stored names the provider
 * alone: address and key are read when they are needed, and are nowhere in clear between here and the VM's memory.
 */
export class ModelEndpoints {
  constructor(
    private readonly resolve: ResolveModelEndpoint,
    /** Secrets that the incarnation may have been given: while the root secret is changed there are two. */
    private readonly bootstrapSecrets: (key: IncarnationKey) => readonly string[],
  ) {}

  /** Any other frame, and a message that names no provider, is returned as it is. A fallback that cannot be had carries its fault. */
  attach(key: IncarnationKey, tenant: string, frame: Frame): Frame {
    if (frame.type !== 'user_message') return frame;
    const { session_id: sessionId, data } = frame as unknown as UserMessage;
    const { model_provider: provider, model_endpoints_fallback: fallbacks, run_id: runId } = data.metadata;
    if (runId === undefined || (typeof provider !== 'string' && !fallbacks?.length)) return frame;
    const offered = (name: string) => this.offer(key, tenant, name, `${sessionId}/${runId}/${name}`);
    const metadata = {
      ...data.metadata,
      ...(typeof provider === 'string' && { model_endpoint: offered(provider) }),
      ...(fallbacks?.length && { model_endpoints_fallback: fallbacks.map((one) => ({ ...one, ...(one.provider !== undefined && offered(one.provider)) })) }),
    };
    return { ...frame, data: { ...data, metadata } };
  }

  private offer({ vmId, epoch }: IncarnationKey, tenant: string, provider: string, name: string): ModelEndpointOffer {
    const resolved = this.resolve(tenant, provider);
    if (!resolved.ok) return { provider, fault: { ...resolved.error } };
    const text = JSON.stringify(resolved.value);
    const address = { vmId, epoch, purpose: MODEL_ENDPOINT_PURPOSE, name };
    return { provider, sealed: this.bootstrapSecrets({ vmId, epoch }).map((secret) => sealBox(secret, address, text)) };
  }
}
