import { createHash } from 'node:crypto';
import { hasScope, plexusError, type DataOf, type Principal, type routingContracts, SCOPES } from '@plexus/contracts';
import { PlexusError, stableStringify } from '@plexus/kernel';
import {
  agentIdOf,
  channelAccountBindings,
  defaultAgentId,
  isKnownAgent,
  mirrorText,
  normaliseChannel,
  type OutboundRoute,
  preferredAccountId,
  resolveOutboundRoute,
  slackAutoThread,
} from '@plexus/routing-core';
import { type Owner, ownerOf } from '../domain/caller.js';
import { requireFit } from '../domain/channel-limits.js';
import { channelOwner } from '../domain/channel-owner.js';
import { SEND_DEADLINE_MS } from '../domain/delivery-plan.js';
import { outboundEntry, platformTarget } from '../domain/outbound-entry.js';
import { storedKey } from '../domain/session-address.js';
import type { MirrorSends } from './mirror-sends.js';
import type { RoutingStore } from './ports.js';
import { sendCommand } from './outgoing-sends.js';
import type { Mirror, SendDraft, StoredSend } from './send-ports.js';
import type { SessionAccess } from './session-access.js';
import type { TenantSettings, TenantSnapshot } from './tenant-settings.js';

type Wanted = DataOf<typeof routingContracts.sendMessage>;
export type ResolvedOutbound = routingContracts.OutboundRoute;

/** Takes a message for a channel: resolves where it goes, stores the intent, and prepares the session that will show it. */
export class SendMessage {
  constructor(
    private readonly store: RoutingStore,
    private readonly settings: TenantSettings,
    private readonly mirrors: MirrorSends,
    private readonly access: Pick<SessionAccess, 'accessOf'>,
    private readonly ids: { newId: () => string; now: () => number },
    private readonly hurry: () => void,
  ) {}

  /**
   * Rejects with CHANNEL_NOT_CONFIGURED, INVALID_TARGET, NOT_FOUND (agent), INVALID_REQUEST (nothing to send, or nothing that fits a channel), FORBIDDEN (the
   * session that would show it is somebody else's and not shared for writing), CONFLICT (key used for another message).
   * A failure to resolve is not remembered under the key.
   */
  async execute(
    tenant: string,
    principal: Principal,
    snapshot: TenantSnapshot,
    wanted: Wanted,
  ): Promise<{ send?: StoredSend; route: ResolvedOutbound; cached: boolean }> {
    const caller = ownerOf(tenant, principal);
    const shown = mirrorText(wanted.text, wanted.attachments?.map(({ url, name }) => name ?? url ?? '') ?? []);
    if (shown === undefined) throw plexusError('INVALID_REQUEST', { message: 'A message needs a text or an attachment.' });
    const route = this.resolve(snapshot, wanted);
    if (route === undefined) throw invalidTarget(wanted);
    const mirror = this.#mirror(caller, snapshot, wanted, route, shown);
    const draft = this.#draft(caller, snapshot, wanted, route, mirror);
    requireFit(sendCommand(draft, { attempt: 1, accountId: route.accountId }).data);
    await this.#requireWritable(tenant, principal, snapshot, mirror);
    if (wanted.dryRun) return { route, cached: false };
    const { send, created } = await this.#keep(draft);
    if (created) await this.mirrors.prepare(caller.tenant, mirror);
    this.hurry();
    return { send, route, cached: !created };
  }

  /** Where a message goes and to which session it belongs; undefined for a target that names nobody. */
  resolve(snapshot: TenantSnapshot, wanted: Omit<Wanted, 'dryRun' | 'idempotencyKey'>): ResolvedOutbound | undefined {
    const { config } = snapshot;
    const channel = normaliseChannel(wanted.channel);
    const agentId = this.#agent(snapshot, wanted);
    const accountId = wanted.accountId ?? this.#account(snapshot, channel, agentId);
    if (!this.settings.account(snapshot, channel, accountId)) throw plexusError('CHANNEL_NOT_CONFIGURED', { details: { channel, accountId } });
    const { replyToId } = wanted;
    const threadId = wanted.threadId ?? (channel === 'slack' && replyToId === undefined ? autoThread(wanted) : undefined);
    const route = outboundRoute(() =>
      resolveOutboundRoute(config, { channel, agentId, accountId, target: wanted.to, replyToId, threadId, resolvedTarget: wanted.resolvedTarget as never }),
    );
    if (!route) return undefined;
    const { threadId: thread, ...rest } = route;
    const own = storedKey(config, { sessionKey: wanted.sessionKey ?? route.sessionKey });
    return { ...rest, channel, accountId, agentId, sessionKey: own, ...(thread === undefined ? {} : { threadId: String(thread) }) };
  }

  /** The agent that is named, else that of the session key, else the default one. */
  #agent({ config }: TenantSnapshot, { agentId, sessionKey }: Pick<Wanted, 'agentId' | 'sessionKey'>): string {
    const agent = agentIdOf({ agentId, sessionKey }) ?? defaultAgentId(config);
    if (!isKnownAgent(config, agent)) throw plexusError('NOT_FOUND', { message: 'No such agent is configured.', details: { agentId: agent } });
    return agent;
  }

  /** The account that the agent is bound to, else the default one of the channel. Throws CHANNEL_NOT_CONFIGURED. */
  #account(snapshot: TenantSnapshot, channel: string, agentId: string): string {
    const defaultAccountId = this.settings.defaultAccount(snapshot, channel);
    if (defaultAccountId === undefined) throw plexusError('CHANNEL_NOT_CONFIGURED', { details: { channel } });
    const bound = channelAccountBindings(snapshot.config).get(channel)?.get(agentId) ?? [];
    return preferredAccountId({ defaultAccountId, boundAccounts: bound.filter((id) => this.settings.account(snapshot, channel, id) !== undefined) });
  }

  #mirror(caller: Owner, { config }: TenantSnapshot, wanted: Wanted, route: ResolvedOutbound, text: string): Mirror {
    const { sessionKey, agentId, channel, peer } = route;
    const owner = wanted.sessionKey === undefined ? channelOwner(config, { agentId, channel, peer }) : caller.owner;
    return { owner, sessionKey, agentId, text, entry: outboundEntry(route) };
  }

  /** A message that is sent is read in a session: it is written by whoever may write there. */
  async #requireWritable(tenant: string, principal: Principal, snapshot: TenantSnapshot, { owner, sessionKey }: Mirror): Promise<void> {
    if (principal.role !== 'service' && hasScope(principal.scopes, SCOPES.admin)) return;
    const { access } = await this.access.accessOf(snapshot, tenant, principal, { sessionKey, owner });
    if (access === 'owner' || access === 'write') return;
    throw plexusError('FORBIDDEN', {
      message: 'The conversation with this target belongs to somebody else. Name a session of your own, or ask for a grant to write into its session.',
      details: { sessionKey },
    });
  }

  #draft({ tenant, owner }: Owner, { revision }: TenantSnapshot, wanted: Wanted, route: ResolvedOutbound, mirror: Mirror): SendDraft {
    const requestHash = hashOf(wanted);
    const chatKind = route.peer.kind === 'dm' || route.peer.kind === 'group' ? route.peer.kind : 'channel';
    const optional = {
      ...(route.threadId === undefined ? {} : { threadId: route.threadId }),
      ...(wanted.replyToId === undefined ? {} : { replyToId: wanted.replyToId }),
    };
    return {
      ...{ tenant, owner, requestHash, mirror, sendId: this.ids.newId(), idempotencyKey: `rpc:${wanted.idempotencyKey}`, origin: 'rpc' as const },
      route: { channel: route.channel, accountId: route.accountId, to: platformTarget(route), chatKind, ...optional },
      pinned: wanted.accountId !== undefined,
      silent: wanted.silent,
      text: wanted.text ?? '',
      attachments: (wanted.attachments ?? []) as SendDraft['attachments'],
      sessionKey: route.sessionKey,
      deadlineAt: new Date(this.ids.now() + (wanted.deadlineMs ?? SEND_DEADLINE_MS)),
      configRevision: revision,
    };
  }

  async #keep(draft: SendDraft): Promise<{ send: StoredSend; created: boolean }> {
    const stored = await this.store.transaction((tx) => tx.sends.insert(draft));
    if (!stored.created && stored.send.requestHash !== draft.requestHash) {
      throw plexusError('CONFLICT', { message: 'This idempotency key was used for another message.', details: { sendId: stored.send.sendId } });
    }
    return stored;
  }
}

/** What makes two requests the same message. */
function hashOf({ idempotencyKey: _key, dryRun: _dryRun, deadlineMs: _deadline, ...message }: Wanted): string {
  return createHash('sha256').update(stableStringify(message)).digest('hex');
}

function autoThread({
  to,
  currentChannelId,
  currentThreadId,
  replyToMode,
  hasReplied,
}: Pick<Wanted, 'to' | 'currentChannelId' | 'currentThreadId' | 'replyToMode' | 'hasReplied'>): string | undefined {
  return slackAutoThread(to, { currentChannelId, currentThreadTs: currentThreadId, replyToMode, hasReplied });
}

const invalidTarget = ({ channel, to }: Pick<Wanted, 'channel' | 'to'>, cause?: unknown) =>
  plexusError('INVALID_TARGET', {
    ...(cause instanceof Error ? { message: cause.message } : {}),
    details: { channel, to, ...(PlexusError.isPlexusError(cause) ? cause.details : {}) },
  });

/** A malformed target is the caller's mistake, whatever grammar found it. */
function outboundRoute(resolve: () => OutboundRoute | undefined): OutboundRoute | undefined {
  try {
    return resolve();
  } catch (error) {
    if (PlexusError.isPlexusError(error)) throw plexusError('INVALID_TARGET', { message: error.message, ...(error.details ? { details: error.details } : {}) });
    throw error;
  }
}
