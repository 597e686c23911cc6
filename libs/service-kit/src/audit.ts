import type { Bus, RpcContext } from '@plexus/bus';
import { auditContracts, auditedFields, auditTarget, type RpcContract } from '@plexus/contracts';
import { type Clock, PlexusError } from '@plexus/kernel';
import type { Logger } from 'pino';

const { auditRecorded } = auditContracts;
const PUBLISH_TIMEOUT_MS = 2_000;

/**
 * From here on every audited question that this bus serves is written down, after it was answered for and before the answer leaves. What cannot
 * be written within two seconds goes to the log as a warning with the same fields: an administrator who stops a runaway must not wait for a stream.
 */
export function auditServed(bus: Bus, service: string, clock: Clock, log: Logger): void {
  const record = async (contract: RpcContract, { tenant, principal }: RpcContext, data: unknown, refusal: unknown): Promise<void> => {
    const { user, role, credentialId, source } = principal;
    const actor = { role, credentialId, ...(user !== undefined && { user }), ...(source !== undefined && { source }) };
    const action = `${contract.domain}.${contract.name}`;
    const entry = {
      at: new Date(clock.now()).toISOString(),
      action,
      actor,
      target: auditTarget(data, auditedFields(contract) ?? []),
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
