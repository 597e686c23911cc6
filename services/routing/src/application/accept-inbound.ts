import { resolveRoute } from '@plexus/routing-core';
import { admit } from '../domain/admission.js';
import { channelOwner, defaultOwner } from '../domain/channel-owner.js';
import { entryOf, type InboundMessage, inboundSessionKey, messageText, replyRouteOf, routeQuestion } from '../domain/inbound-route.js';
import { pairingCode, pairingText } from '../domain/pairing-code.js';
import { queueSettings } from '../domain/queue-settings.js';
import { addressSession, type SessionAddress } from '../domain/session-address.js';
import { MAX_TEXT_BYTES, toTranscriptText } from '../domain/text-limits.js';
import type { AcceptMessage } from './accept-message.js';
import { isOpen, type RoutingStore, type RoutingTransaction } from './ports.js';
import type { TenantSettings, TenantSnapshot } from './tenant-settings.js';

export type InboundOutcome =
  | { readonly kind: 'accepted'; readonly runId: string; readonly answered: boolean }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'not-configured' };

export interface InboundLimits {
  readonly runTimeoutMs: number;
  readonly pairingTtlMs: number;
  /** Open pairing requests of one account. */
  readonly openPairings: number;
}

/**
 * Takes a message of a channel: once, whichever replica gets it and however often; only for an account that the adapter is configured for; only from
 * people that the account's policy admits. What several accounts hear in one group reaches an agent once. Claim, decision, transcript and run commit together.
 */
export class AcceptInbound {
  constructor(
    private readonly store: RoutingStore,
    private readonly settings: TenantSettings,
    private readonly accept: AcceptMessage,
    private readonly ids: { newId: () => string; random: (count: number) => Uint8Array; now: () => number },
    private readonly limits: InboundLimits,
    private readonly hurry: () => void,
  ) {}

  /** `source`: the adapter, by its NATS permission. */
  async execute(tenant: string, source: string, message: InboundMessage): Promise<InboundOutcome> {
    const snapshot = this.settings.get(tenant);
    const account = this.settings.account(snapshot, source, message.account);
    if (!account) return { kind: 'not-configured' };
    const outcome = await this.store.transaction(async (tx): Promise<InboundOutcome> => {
      const claim = await tx.channels.claimInbound({
        ...{ tenant, source, accountId: message.account, chatId: message.chat.id, messageId: message.messageId },
        ...{ senderId: message.sender.id, configRevision: snapshot.revision },
      });
      if (claim === undefined) return { kind: 'duplicate' };
      const person = { tenant, channel: source, accountId: message.account, senderId: message.sender.id };
      const decision = await tx.channels.decisionAbout(person);
      const { chat, sender } = message;
      const admission = admit(account, { channel: source, chatKind: chat.kind, chatId: chat.id, senderId: sender.id, username: sender.username, decision });
      const taken =
        admission.kind === 'admit'
          ? await this.#take(tx, tenant, snapshot, source, message)
          : await this.#refuse(tx, tenant, snapshot, source, message, admission);
      await tx.channels.settleInbound(claim, taken.kind === 'refused' ? taken.reason : taken.kind, taken.kind === 'accepted' ? taken.runId : undefined);
      return taken;
    });
    if (outcome.kind === 'refused' || (outcome.kind === 'accepted' && outcome.answered)) this.hurry();
    return outcome;
  }

  async #take(tx: RoutingTransaction, tenant: string, snapshot: TenantSnapshot, source: string, message: InboundMessage): Promise<InboundOutcome> {
    const text = messageText(message);
    if (text === '') return { kind: 'refused', reason: 'empty' };
    const { config, revision } = snapshot;
    const { address, agentId } = this.#address(tenant, snapshot, source, message);
    const onceKey = message.chat.kind === 'dm' ? undefined : `in:${source}:${message.chat.id}:${message.messageId}`;
    if (onceKey !== undefined && (await this.accept.knows(tx, address, onceKey))) return { kind: 'refused', reason: 'other-account' };
    const runId = this.ids.newId();
    const queue = queueSettings(config, { channel: source, agentId });
    const { id, name, username } = message.sender;
    const request = { message: toTranscriptText(text.slice(0, MAX_TEXT_BYTES)), timeoutMs: this.limits.runTimeoutMs };
    this.accept.requireSendable(config, address, runId, request);
    const { run } = await this.accept.acceptIn(tx, config, address, runId, {
      request,
      queue,
      overflow: 'drop-oldest',
      onceKey,
      configRevision: revision,
      replyRoute: replyRouteOf(source, message),
      sender: { id, ...(name === undefined ? {} : { name }), ...(username === undefined ? {} : { username }) },
      entry: entryOf(source, message),
    });
    return { kind: 'accepted', runId, answered: !isOpen(run) };
  }

  /** The agent by the bindings; the owner by a link of the person, else of the agent, else of the tenant. */
  #address(tenant: string, snapshot: TenantSnapshot, source: string, message: InboundMessage): { address: SessionAddress; agentId: string } {
    const { config } = snapshot;
    const route = resolveRoute(this.settings.routes(snapshot), routeQuestion(source, message));
    const sessionKey = inboundSessionKey(source, message, route);
    const { chat, sender } = message;
    const owner = channelOwner(config, { agentId: route.agentId, channel: source, peer: { kind: chat.kind, id: chat.kind === 'dm' ? sender.id : chat.id } });
    return { address: addressSession(config, { tenant, owner }, { sessionKey, agentId: route.agentId }), agentId: route.agentId };
  }

  /** A stranger gets a code, once while it is valid; everything else that is refused hears nothing. */
  async #refuse(
    tx: RoutingTransaction,
    tenant: string,
    { config, revision }: TenantSnapshot,
    source: string,
    message: InboundMessage,
    admission: { kind: 'pair' } | { kind: 'refuse'; reason: string },
  ): Promise<InboundOutcome> {
    if (admission.kind === 'refuse') return { kind: 'refused', reason: admission.reason };
    const { sender, chat, account: accountId } = message;
    const code = pairingCode(this.ids.random);
    const request = { tenant, channel: source, accountId, senderId: sender.id, senderName: sender.name ?? sender.username, code, chatId: chat.id };
    const { pairingTtlMs: ttlMs, openPairings: open } = this.limits;
    const opened = await tx.channels.openPairing(request, { ttlMs, open });
    if (opened !== 'fresh') return { kind: 'refused', reason: opened === 'full' ? 'pairing-full' : 'pairing-open' };
    await tx.sends.insert({
      ...{ tenant, owner: defaultOwner(config), sendId: this.ids.newId(), idempotencyKey: `pairing:${source}:${accountId}:${code}` },
      ...{ requestHash: '', origin: 'pairing', route: replyRouteOf(source, message), pinned: true, attachments: [], configRevision: revision },
      text: pairingText(code, ttlMs),
      deadlineAt: new Date(this.ids.now() + ttlMs),
    });
    return { kind: 'refused', reason: 'pairing' };
  }
}
