import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { TenantConfig } from '@plexus/agent-config';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, type ReplyOf, routingContracts as contracts, SCOPES } from '@plexus/contracts';
import { AcceptMessage } from '../../application/accept-message.js';
import { CancelRun } from '../../application/cancel-run.js';
import { InjectMessages } from '../../application/inject-messages.js';
import { KeepAttachments } from '../../application/keep-attachments.js';
import { ManageSessions } from '../../application/manage-sessions.js';
import { ReadSessions, summariseRun, summariseSession } from '../../application/read-sessions.js';
import { SessionAccess } from '../../application/session-access.js';
import { type Owner, ownerOf, requireScope } from '../../domain/caller.js';
import { clientQueueMode } from '../../domain/queue-settings.js';
import { addressSession, storedKey } from '../../domain/session-address.js';
import { requireStorable } from '../../domain/text-limits.js';
import { RoutingSettings } from './routing-settings.js';

/** Answers `rpc routing.*`: checks who asks, translates, calls one use case. */
@Controller()
export class RoutingController {
  constructor(
    private readonly settings: RoutingSettings,
    private readonly acceptMessage: AcceptMessage,
    private readonly cancelRun: CancelRun,
    private readonly sessions: ManageSessions,
    private readonly injectMessages: InjectMessages,
    private readonly reading: ReadSessions,
    private readonly access: SessionAccess,
    private readonly attachments: KeepAttachments,
  ) {}

  @Rpc(contracts.acceptMessage)
  async onAcceptMessage(@Payload() data: DataOf<typeof contracts.acceptMessage>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.acceptMessage>> {
    requireScope(context.principal, SCOPES.write);
    const { tenant, principal } = context;
    const snapshot = this.settings.snapshotOf(tenant);
    const { config, revision } = snapshot;
    const { message, idempotencyKey, extraSystemPrompt, timeoutMs = this.settings.runTimeoutMs } = data;
    if (extraSystemPrompt !== undefined) requireScope(principal, SCOPES.admin);
    for (const [field, text] of Object.entries({ message, extraSystemPrompt, idempotencyKey })) if (text !== undefined) requireStorable(text, field);
    const owner = await this.#reached(context, data, 'write');
    const address = addressSession(config, owner, data);
    const uploader = ownerOf(tenant, principal);
    const attachments = data.attachments === undefined ? undefined : await this.attachments.find(uploader, data.attachments);
    const guest = principal.user === owner.owner ? undefined : principal.user;
    const { run, status } = await this.acceptMessage.execute(config, address, idempotencyKey, {
      request: { message, extraSystemPrompt, timeoutMs, ...(attachments === undefined ? {} : { attachments }) },
      uploader: uploader.owner,
      queue: { mode: data.queueMode ?? clientQueueMode(config, address.agentId), cap: Number.POSITIVE_INFINITY },
      overflow: 'refuse',
      configRevision: revision,
      ...(guest === undefined ? {} : { sender: { id: guest } }),
    });
    const { runId, sessionId, sessionKey, agentId } = run;
    return { runId, sessionId, sessionKey, agentId, status, ...(status === 'done' ? { run: summariseRun(run) } : {}) };
  }

  @Rpc(contracts.getHistory)
  async onHistory(@Payload() data: DataOf<typeof contracts.getHistory>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.getHistory>> {
    requireScope(context.principal, SCOPES.read);
    const config = this.settings.configOf(context.tenant);
    return this.reading.history(await this.#reached(context, data, 'read'), storedKey(config, data), data);
  }

  @Rpc(contracts.listSessions)
  async onListSessions(@Payload() data: DataOf<typeof contracts.listSessions>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.listSessions>> {
    const { owner } = this.#reader(context);
    for (const [field, text] of Object.entries({ search: data.search, agentId: data.agentId })) if (text !== undefined) requireStorable(text, field);
    return this.reading.list(owner, data);
  }

  @Rpc(contracts.describeSession)
  async onDescribe(@Payload() data: DataOf<typeof contracts.describeSession>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.describeSession>> {
    requireScope(context.principal, SCOPES.read);
    const sessionKey = storedKey(this.settings.configOf(context.tenant), data);
    const session = await this.reading.describe(await this.#reached(context, data, 'read'), sessionKey);
    return { sessionKey, ...(session === undefined ? {} : { session }) };
  }

  @Rpc(contracts.createSession)
  async onCreate(@Payload() data: DataOf<typeof contracts.createSession>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.createSession>> {
    const { config, owner } = this.#writer(context);
    if (data.label !== undefined) requireStorable(data.label, 'label');
    // Without a key a conversation of its own is wanted: the main session exists by itself.
    const address = addressSession(config, owner, { agentId: data.agentId, sessionKey: data.sessionKey ?? this.settings.newId() });
    const { session, created } = await this.sessions.create(address, data.label);
    return { session: summariseSession(session), created };
  }

  @Rpc(contracts.resetSession)
  async onReset(@Payload() data: DataOf<typeof contracts.resetSession>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.resetSession>> {
    this.#admin(context);
    const { config, owner } = this.#writer(context);
    const { session, previousSessionId } = await this.sessions.reset(owner, storedKey(config, data));
    return { session: summariseSession(session), previousSessionId };
  }

  @Rpc(contracts.injectMessage)
  async onInject(@Payload() data: DataOf<typeof contracts.injectMessage>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.injectMessage>> {
    this.#admin(context);
    const { config, owner } = this.#writer(context);
    const { message: text, label, idempotencyKey } = data;
    for (const [field, value] of Object.entries({ message: text, label, idempotencyKey })) if (value !== undefined) requireStorable(value, field);
    const { messageId, session } = await this.injectMessages.execute(owner, storedKey(config, data), { text, label, idempotencyKey });
    return { messageId, sessionId: session.sessionId, sessionKey: session.sessionKey };
  }

  @Rpc(contracts.cancelRun)
  async onCancel(@Payload() data: DataOf<typeof contracts.cancelRun>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.cancelRun>> {
    requireScope(context.principal, SCOPES.write);
    const config = this.settings.configOf(context.tenant);
    const owner = await this.#reached(context, data, 'write');
    const runIds = await this.cancelRun.execute(owner, storedKey(config, data), { runId: data.runId, reason: data.reason });
    return { aborted: runIds.length > 0, runIds };
  }

  @Rpc(contracts.getRun)
  async onGetRun(@Payload() data: DataOf<typeof contracts.getRun>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.getRun>> {
    const { config, owner } = this.#reader(context);
    requireStorable(data.runId, 'runId');
    const run = await this.reading.run(owner, data.runId, data.sessionKey === undefined ? undefined : storedKey(config, data));
    return run === undefined ? {} : { run };
  }

  @Rpc(contracts.sessionForUser)
  async onSessionForUser(
    @Payload() data: DataOf<typeof contracts.sessionForUser>,
    @Ctx() context: RpcContext,
  ): Promise<ReplyOf<typeof contracts.sessionForUser>> {
    const { config, owner } = this.#reader(context);
    const { sessionKey, agentId } = addressSession(config, owner, data);
    return { sessionKey, agentId };
  }

  /** Whose session the caller speaks of, if it may. */
  #reached(
    { tenant, principal }: RpcContext,
    data: { sessionKey?: string | undefined; agentId?: string | undefined; owner?: string | undefined; actingSessionKey?: string | undefined },
    need: 'read' | 'write',
  ): Promise<Owner> {
    const snapshot = this.settings.snapshotOf(tenant);
    return this.access.ownerFor(snapshot, tenant, principal, { ...data, sessionKey: storedKey(snapshot.config, data) }, need);
  }

  #reader({ tenant, principal }: RpcContext): { config: TenantConfig; owner: Owner } {
    requireScope(principal, SCOPES.read);
    return { config: this.settings.configOf(tenant), owner: ownerOf(tenant, principal) };
  }

  /** What changes a conversation behind its participants' backs; services of the mesh (push) may inject on a user's behalf. */
  #admin({ principal }: RpcContext): void {
    if (principal.role !== 'service') requireScope(principal, SCOPES.admin);
  }

  #writer({ tenant, principal }: RpcContext): { config: TenantConfig; owner: Owner } {
    requireScope(principal, SCOPES.write);
    return { config: this.settings.configOf(tenant), owner: ownerOf(tenant, principal) };
  }
}
