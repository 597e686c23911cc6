import type { OrderedMessage } from '@plexus/bus';
import { pushLogContracts } from '@plexus/contracts';
import type { LogInput } from '../../domain/engine/types.js';
import { LOG_CONTRACTS, type LogKind } from './log-entries.js';

/** Position of one message of the log, and the input if it is one. */
export interface ReadInput {
  readonly part: number;
  readonly seq: number;
  readonly input: LogInput | undefined;
}

/**
 * Reads a message of the log. Only push writes there, and checks what it writes; a message that is no input all the same is passed over
 * (`input` undefined), because everything behind it would wait for ever. Undefined when it belongs to no partition.
 */
export function readLogMessage(message: OrderedMessage, onInvalid: (message: OrderedMessage, problem: unknown) => void): ReadInput | undefined {
  const { parsed, seq, time } = message;
  const [partToken, user] = parsed?.key ?? [];
  const part = Number(partToken);
  if (parsed === undefined || user === undefined || !Number.isInteger(part) || part < 0 || part >= pushLogContracts.PUSH_PARTITIONS) {
    onInvalid(message, new Error('not a subject of the log'));
    return undefined;
  }
  try {
    const contract = LOG_CONTRACTS[parsed.name as LogKind];
    if (contract === undefined) throw new Error(`unknown kind ${parsed.name}`);
    const event = message.json<{ readonly id?: unknown; readonly data?: unknown }>();
    if (typeof event.id !== 'string') throw new Error('an entry without id');
    const data = contract.data.parse(event.data);
    return { part, seq, input: { kind: parsed.name, data, id: event.id, tenant: parsed.tenant, user, seq, at: time } as LogInput };
  } catch (problem) {
    onInvalid(message, problem);
    return { part, seq, input: undefined };
  }
}
