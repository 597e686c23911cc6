import { type DataOf, encodeToken, type InputOf, type LiveContract, NO_TENANT, plexusError, SubjectError } from '@plexus/contracts';
import type { LiveListening } from './bus.js';
import { toJsonBytes } from './json-body.js';
import type { Link } from './link.js';
import { tryParseSubject } from './parking.js';
import { publishError } from './request-multiplexer.js';
import { validatorFor } from './schema-validator.js';

/** Handlers of one listener that may run at the same time; further frames are dropped. */
const MAX_RUNNING = 1_024;

export type LiveHandler<C extends LiveContract> = (
  data: DataOf<C>,
  address: { readonly tenant: string; readonly key: readonly string[] },
) => void | Promise<void>;

/** Sends one ephemeral frame. While disconnected it is dropped: it would be stale after the reconnect. */
export function publishLive<C extends LiveContract>(link: Link, contract: C, tenant: string, key: readonly string[], data: InputOf<C>): void {
  const body = toJsonBytes(validatorFor(contract.data).strict(data));
  const subject = subjectOf(contract, tenant, key);
  if (!link.isConnected) return;
  try {
    link.connection.publish(subject, body);
  } catch (error) {
    throw publishError(error, subject, body.length);
  }
}

/** Receives ephemeral frames of one contract. What does not fit is dropped and logged. */
export function listenLive<C extends LiveContract>(
  link: Link,
  contract: C,
  selection: { readonly tenant?: string; readonly key?: readonly string[] },
  handler: LiveHandler<C>,
): LiveListening {
  const validator = validatorFor(contract.data);
  let running = 0;
  const receive = async (subject: string, body: Uint8Array): Promise<void> => {
    const parsed = tryParseSubject(subject);
    if (parsed === undefined) return;
    if (running >= MAX_RUNNING) throw plexusError('QUEUE_FULL', { message: 'Too many live frames are being handled.', details: { limit: MAX_RUNNING } });
    running += 1;
    try {
      await handler(validator.parse(body) as DataOf<C>, { tenant: parsed.tenant, key: parsed.key });
    } finally {
      running -= 1;
    }
  };
  const subscription = link.connection.subscribe(patternOf(contract, selection), {
    callback: (error, message) => {
      if (error) link.log.error({ err: error, contract: contract.type }, 'the subscription for live frames was refused');
      else receive(message.subject, message.data).catch((cause: unknown) => link.log.warn({ err: cause, contract: contract.type }, 'a live frame was dropped'));
    },
  });
  return {
    stop: () => {
      if (!link.connection.isClosed()) subscription.unsubscribe();
    },
  };
}

function subjectOf(contract: LiveContract, tenant: string, key: readonly string[]): string {
  try {
    return contract.subject(tenant, ...key);
  } catch (cause) {
    if (!(cause instanceof SubjectError || cause instanceof TypeError)) throw cause;
    throw plexusError('INVALID_REQUEST', { message: 'The tenant or key does not fit the contract.', details: { problem: cause.message }, cause });
  }
}

/** Key tokens that are not given stay open. */
function patternOf(contract: LiveContract, { tenant = '*', key = [] }: { readonly tenant?: string; readonly key?: readonly string[] }): string {
  if (key.length === 0) return contract.pattern(tenant);
  if (key.length > contract.key.length)
    throw plexusError('INVALID_REQUEST', { message: 'The contract has fewer key tokens.', details: { key: [...contract.key] } });
  const tokens = contract.key.map((_, index) => {
    const part = key[index];
    if (part === undefined) return '*';
    return part === NO_TENANT ? part : encodeToken(part);
  });
  return contract.pattern(tenant).replace(/>$/, tokens.join('.'));
}
