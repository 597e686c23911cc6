import type { Bus, RpcContext } from '@plexus/bus';
import { auditContracts, auditedFields, auditTarget, type Principal, type RpcContract } from '@plexus/contracts';
import { type Clock, PlexusError } from '@plexus/kernel';
import type { Logger } from 'pino';

const { auditRecorded } = auditContracts;
const PUBLISH_TIMEOUT_MS = 2_000;

/** What an administrator answers for: who did it, to what, and why it was refused, if it was. */
export interface Act {
  /** `<domain>.<name>`. */
  readonly action: string;
  readonly tenant: string;
  readonly principal: Principal;
  /** Names and numbers only. */
  readonly target: ReturnType<typeof auditTarget>;
  readonly refusal?: unknown;
}

/**
 * Writes an act down. What cannot be written within two seconds goes to the log as a warning with the same fields: an administrator who stops a
 * runaway must not wait for a stream. Never rejects.
 */
export function auditWriter(bus: Pick<Bus, 'publish'>, service: string, clock: Pick<Clock, 'now'>, log: Pick<Logger, 'warn'>): (act: Act) => Promise<void> {
  return async ({ action, tenant, principal, target, refusal }) => {
    const { user, role, credentialId, source } = principal;
    const actor = { role, credentialId, ...(user !== undefined && { user }), ...(source !== undefined && { source }) };
    const entry = {
      at: new Date(clock.now()).toISOString(),
      action,
      actor,
      target,
      outcome: refusal === undefined ? ('done' as const) : ('refused' as const),
      ...(refusal !== undefined && { code: PlexusError.isPlexusError(refusal) ? refusal.code : 'INTERNAL' }),
      service,
    };
    try {
      await bus.publish(auditRecorded, { tenant, key: [action.replace('.', '-')], data: entry }, { timeoutMs: PUBLISH_TIMEOUT_MS });
    } catch (error) {
      log.warn({ error, audit: entry, tenant }, 'an administrative act could not be written down');
    }
  };
}

/** From here on every audited question that this bus serves is written down, after it was answered for and before the answer leaves. */
export function auditServed(bus: Bus, service: string, clock: Clock, log: Logger): void {
  const write = auditWriter(bus, service, clock, log);
  const record = (contract: RpcContract, { tenant, principal }: RpcContext, data: unknown, refusal: unknown): Promise<void> => {
    const action = `${contract.domain}.${contract.name}`;
    return write({ action, tenant, principal, target: auditTarget(data, auditedFields(contract) ?? []), refusal });
  };
  const serve = bus.serve.bind(bus) as Bus['serve'];
  bus.serve = (contract, handler, options) => {
    if (auditedFields(contract) === undefined) return serve(contract, handler, options);
    return serve(
      contract,
      async (data, context) => {
        let refusal: unknown;
        try {
          return await handler(data, context);
        } catch (error) {
          refusal = error;
          throw error;
        } finally {
          await record(contract, context, data, refusal);
        }
      },
      options,
    );
  };
}
