import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { Delivery, Outcome, RpcContext } from '@plexus/bus';
import { Consume, Rpc } from '@plexus/bus/nest';
import { CONSUMERS, channelContracts, type DataOf, plexusError, type ReplyOf, routingContracts as contracts, SCOPES } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';
import { counter } from '@plexus/telemetry';
import { AcceptInbound } from '../../application/accept-inbound.js';
import { DeliverSends } from '../../application/deliver-sends.js';
import { DeliveryLoop } from '../../application/delivery-loop.js';
import { ManagePairings } from '../../application/manage-pairings.js';
import { MirrorSends } from '../../application/mirror-sends.js';
import { ReadDelivery } from '../../application/read-delivery.js';
import { SendMessage } from '../../application/send-message.js';
import { ownerOf, requireScope } from '../../domain/caller.js';
import { requireStorable } from '../../domain/text-limits.js';
import { RoutingSettings } from './routing-settings.js';

const inbound = counter('channelMessages');
/** The adapter may have seen a new configuration before this replica did. */
const CONFIG_GRACE_ATTEMPTS = 4;
const CONFIG_GRACE_MS = 500;
/** How often showing a message that was sent is tried. */
const MIRROR_ATTEMPTS = 5;

type Received = DataOf<typeof channelContracts.messageReceived>;
type Succeeded = DataOf<typeof channelContracts.sendSucceeded>;
type Failed = DataOf<typeof channelContracts.sendFailed>;

/** What channels tell, and what is sent to them. The source token of a subject is proof of which adapter speaks. */
@Controller()
export class ChannelsController {
  constructor(
    private readonly settings: RoutingSettings,
    private readonly acceptInbound: AcceptInbound,
    private readonly delivery: DeliverSends,
    private readonly loop: DeliveryLoop,
    private readonly mirrors: MirrorSends,
    private readonly sending: SendMessage,
    private readonly reading: ReadDelivery,
    private readonly pairings: ManagePairings,
  ) {}

  @Consume(CONSUMERS.routingInbound, { concurrency: 16, maxMessages: 256, contracts: [channelContracts.messageReceived] })
  async onMessage(@Ctx() { tenant, parsed, key, data, attempt }: Delivery<Received>): Promise<Outcome> {
    if (parsed === undefined || data.account !== key[0]) return { kind: 'park', code: 'INVALID_EVENT', reason: 'account differs from the key of the subject' };
    const outcome = await this.#parkBad(() => this.acceptInbound.execute(tenant, parsed.domain, data));
    if (outcome.kind === 'park') return outcome;
    if (outcome.kind === 'not-configured' && attempt < CONFIG_GRACE_ATTEMPTS)
      return { kind: 'retry', afterMs: CONFIG_GRACE_MS, reason: 'not configured (yet)' };
    inbound.add(1, { outcome: outcome.kind });
    if (outcome.kind === 'not-configured') {
      return { kind: 'park', code: 'CHANNEL_NOT_CONFIGURED', reason: `${parsed.domain} is not configured for the account ${data.account}` };
    }
    return { kind: 'done' };
  }

  @Consume(CONSUMERS.routingSendSucceeded, { concurrency: 16, maxMessages: 256, contracts: [channelContracts.sendSucceeded] })
  async onSent(@Ctx() { tenant, parsed, key, data, attempt }: Delivery<Succeeded>): Promise<Outcome> {
    if (parsed === undefined || data.sendId !== key[0]) return { kind: 'park', code: 'INVALID_EVENT', reason: 'sendId differs from the key of the subject' };
    const outcome = await this.#parkBad(() => this.delivery.succeeded(tenant, parsed.domain, data));
    this.loop.hurry();
    if (outcome === undefined) return { kind: 'done' };
    if ('kind' in outcome) return outcome;
    try {
      await this.mirrors.show(outcome);
    } catch (error) {
      if (attempt < MIRROR_ATTEMPTS)
        return { kind: 'retry', afterMs: 1_000 * attempt, reason: `sent, but not shown in its session: ${(error as Error).message}` };
      inbound.add(1, { outcome: 'not-mirrored' });
    }
    return { kind: 'done' };
  }

  @Consume(CONSUMERS.routingSendFailed, { concurrency: 16, maxMessages: 256, contracts: [channelContracts.sendFailed] })
  async onFailed(@Ctx() { tenant, parsed, key, data }: Delivery<Failed>): Promise<Outcome> {
    if (parsed === undefined || data.sendId !== key[0]) return { kind: 'park', code: 'INVALID_EVENT', reason: 'sendId differs from the key of the subject' };
    const outcome = await this.#parkBad(() => this.delivery.failed(tenant, parsed.domain, data));
    this.loop.hurry();
    return outcome === undefined ? { kind: 'done' } : outcome;
  }

  @Rpc(contracts.sendMessage)
  async onSend(@Payload() data: DataOf<typeof contracts.sendMessage>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.sendMessage>> {
    requireScope(context.principal, SCOPES.write);
    const { to, text, idempotencyKey, threadId, replyToId } = data;
    for (const [field, value] of Object.entries({ to, text, idempotencyKey, threadId, replyToId })) if (value !== undefined) requireStorable(value, field);
    const snapshot = this.settings.snapshotOf(context.tenant);
    const { send, route, cached } = await this.sending.execute(context.tenant, context.principal, snapshot, data);
    return { route, cached, ...(send === undefined ? {} : { send: this.reading.summarise(send) }) };
  }

  @Rpc(contracts.getSend)
  async onGetSend(@Payload() data: DataOf<typeof contracts.getSend>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.getSend>> {
    requireScope(context.principal, SCOPES.read);
    const send = await this.reading.send(ownerOf(context.tenant, context.principal), data.sendId);
    return send === undefined ? {} : { send };
  }

  @Rpc(contracts.channelHealth)
  async onHealth(@Payload() data: DataOf<typeof contracts.channelHealth>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.channelHealth>> {
    requireScope(context.principal, SCOPES.read);
    return { accounts: await this.reading.health(context.tenant, this.settings.snapshotOf(context.tenant), data.channel) };
  }

  @Rpc(contracts.listPairings)
  async onListPairings(@Payload() data: DataOf<typeof contracts.listPairings>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.listPairings>> {
    requirePairing(context);
    const requests = await this.pairings.list(context.tenant, data.channel);
    return {
      requests: requests.map(({ code, channel, accountId, senderId, senderName, messages, createdAt, expiresAt }) => ({
        ...{ code, channel, account: accountId, senderId, messages, createdAt: createdAt.toISOString(), expiresAt: expiresAt.toISOString() },
        ...(senderName === undefined ? {} : { senderName }),
      })),
    };
  }

  @Rpc(contracts.approvePairing)
  onApprove(@Payload() data: DataOf<typeof contracts.approvePairing>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.approvePairing>> {
    return this.#decide(context, data, 'approved');
  }

  @Rpc(contracts.rejectPairing)
  onReject(@Payload() data: DataOf<typeof contracts.rejectPairing>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.rejectPairing>> {
    return this.#decide(context, data, 'rejected');
  }

  async #decide(context: RpcContext, data: { code: string; channel?: string | undefined }, decision: 'approved' | 'rejected') {
    requirePairing(context);
    requireStorable(data.code, 'code');
    const caller = context.principal.user ?? context.principal.credentialId;
    const { channel, accountId, senderId, senderName } = await this.pairings.decide(context.tenant, caller, data, decision);
    return { channel, account: accountId, senderId, ...(senderName === undefined ? {} : { senderName }) };
  }

  /** A message that can never be handled is kept for a person; what may pass is thrown on and tried again. */
  async #parkBad<T>(work: () => Promise<T>): Promise<T | (Outcome & { kind: 'park' })> {
    try {
      return await work();
    } catch (error) {
      if (!PlexusError.isPlexusError(error) || error.retryable) throw error;
      return { kind: 'park', code: error.code, reason: error.message };
    }
  }
}

/** Who lets strangers in needs a scope of its own; a service of the mesh has no business here. */
function requirePairing({ principal }: RpcContext): void {
  if (principal.role === 'service') throw plexusError('FORBIDDEN', { message: 'Strangers are let in by people.' });
  requireScope(principal, SCOPES.pairing);
}
