import { plexusError } from '@plexus/contracts';
import type { Admission } from './admission.js';
import type { ApiKeys, KeyRecipient } from './api-keys.js';
import type { ModelEndpoints } from './model-endpoints.js';
import type { SessionSettings } from './session-settings.js';
import type { Beat, BeatAnswer, ConnectionStore, FrameBatch, Hints, InboxStore, WireKey } from './ports.js';

/** Where runtimes find a model: the public half, without keys. */
export interface ModelSettings {
  readonly baseUrl: string | undefined;
  readonly model: string | undefined;
}

export interface AttachAnswer {
  readonly connGen: number;
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  readonly serverRecvSeq: number;
  readonly serverSentSeq: number;
  readonly ackedSeq: number;
  readonly init: Record<string, unknown>;
  readonly tokenRefreshMs?: number;
  readonly serverNonce?: string;
}

/** A third of the lease: two beats may be lost. */
const BEATS_PER_LEASE = 3;

/** What the frames of one answer may weigh, filled; of the 1 MiB of a message. */
const PAGE_BYTES = 524_288;

/** The sockets of VMs, as the gateways that hold them report and use them. */
export class Connections {
  constructor(
    private readonly store: ConnectionStore,
    private readonly inbox: InboxStore,
    private readonly hints: Hints,
    private readonly options: {
      readonly leaseMs: number;
      readonly model: ModelSettings;
      readonly onTransition: (from: string, to: string, cause: string) => void;
      readonly admission: Pick<Admission, 'token' | 'refreshAfterMs'>;
      readonly endpoints: Pick<ModelEndpoints, 'attach'>;
      readonly apiKeys: Pick<ApiKeys, 'seal'>;
      readonly settings: Pick<SessionSettings, 'attach'>;
      /** Runtimes of somebody else's bring their own model: keys of the platform do not leave for them. */
      readonly isExternal: (provider: string) => boolean;
      readonly onFenced: () => void;
    },
  ) {}

  /** Rejects with VM_FENCED when the incarnation is not, or no longer, the one that may work. */
  async attach(key: WireKey, connection: { readonly gateway: string; readonly recvSeq: number } & KeyRecipient): Promise<AttachAnswer> {
    const result = await this.store.attach(key, connection);
    if (result.kind === 'unknown') throw plexusError('NOT_FOUND', { message: 'There is no such VM.' });
    if (result.kind === 'fenced') {
      this.options.onFenced();
      throw fenced(result.currentEpoch);
    }
    if (result.kind === 'no-ticket') throw plexusError('TICKET_INVALID');
    const { attachment } = result;
    for (const { from, to, cause } of attachment.moves) this.options.onTransition(from, to, cause);
    if (attachment.moves.length > 0) this.hints.wake(attachment.owner.tenant, key.vmId);
    const { leaseMs, apiKeys } = this.options;
    const { init: keys, serverNonce } = await apiKeys.seal(key, attachment.owner, connection);
    return {
      connGen: attachment.connGen,
      ...(connection.protocol === 2 ? { tokenRefreshMs: this.options.admission.refreshAfterMs } : {}),
      leaseMs,
      heartbeatMs: Math.floor(leaseMs / BEATS_PER_LEASE),
      serverRecvSeq: attachment.serverRecvSeq,
      serverSentSeq: attachment.serverSentSeq,
      ackedSeq: attachment.ackedSeq,
      ...(serverNonce === undefined ? {} : { serverNonce }),
      init: {
        user_id: attachment.owner.subject,
        org_id: attachment.owner.tenant,
        ...keys,
        llm_config: this.llmConfig(),
        sessions: attachment.sessions,
        traces: attachment.traces,
      },
    };
  }

  private llmConfig(): Record<string, unknown> {
    const { baseUrl, model } = this.options.model;
    return {
      default_model: model ?? null,
      fallback_model: null,
      providers: baseUrl === undefined ? {} : { default: { base_url: baseUrl } },
    };
  }

  detach(key: WireKey, connGen: number): Promise<void> {
    return this.store.detach(key, connGen);
  }

  beat(tenant: string | undefined, beats: readonly Beat[]): Promise<readonly BeatAnswer[]> {
    return this.store.beat(tenant, beats);
  }

  async read(key: WireKey, connGen: number, after: number, limit: number): Promise<FrameBatch> {
    const page = await this.store.readOutbox(key, connGen, after, limit);
    if (page === undefined) throw fenced(undefined);
    const { head, tenant, provider } = page;
    const isOurs = !this.options.isExternal(provider);
    const frames = await Promise.all(
      page.frames.map(async ({ fseq, frame }) => {
        // Tokens and keys are made as they leave: no database holds one.
        if (frame.type === 'bind') return { fseq, frame: await this.bind(key, frame) };
        const filled = await this.options.settings.attach(key, tenant, frame, isOurs);
        return { fseq, frame: isOurs ? this.options.endpoints.attach(key, tenant, filled) : filled };
      }),
    );
    return { frames: pageOf(frames), head };
  }

  private async bind(key: WireKey, frame: FrameBatch['frames'][number]['frame']): Promise<FrameBatch['frames'][number]['frame']> {
    const data = frame.data as { readonly user_id: string; readonly org_id: string };
    const token = await this.options.admission.token(key, { tenant: data.org_id, subject: data.user_id, scope: '' });
    return { ...frame, data: { ...data, token } };
  }

  ack(key: WireKey, upTo: number): Promise<void> {
    return this.store.ackOutbox(key, upTo);
  }

  async submit(key: WireKey, fseq: number, frame: { readonly type: string }): Promise<{ recvSeq: number; duplicate: boolean; snapshot?: number }> {
    const result = await this.inbox.applyFrame(key, fseq, frame);
    if (result.kind === 'fenced') {
      this.options.onFenced();
      throw fenced(undefined);
    }
    if (result.queued) this.hints.out(result.tenant, key.vmId);
    const { recvSeq, duplicate, snapshot } = result;
    return { recvSeq, duplicate, ...(snapshot !== undefined && { snapshot }) };
  }

  async mark(key: WireKey, upTo: number): Promise<number> {
    const recvSeq = await this.inbox.mark(key, upTo);
    if (recvSeq === undefined) throw fenced(undefined);
    return recvSeq;
  }
}

/** The first frames that fit one message together, at least one: they have grown since the store counted them. The others are asked for next. */
function pageOf(frames: FrameBatch['frames']): FrameBatch['frames'] {
  let bytes = 0;
  const behind = frames.findIndex(({ frame }, index) => {
    bytes += Buffer.byteLength(JSON.stringify(frame));
    return index > 0 && bytes > PAGE_BYTES;
  });
  return behind < 0 ? frames : frames.slice(0, behind);
}

function fenced(currentEpoch: number | undefined): Error {
  return plexusError('VM_FENCED', currentEpoch === undefined ? {} : { details: { currentEpoch } });
}
