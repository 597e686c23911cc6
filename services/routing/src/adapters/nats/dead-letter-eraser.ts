import type { Bus } from '@plexus/bus';
import { encodeToken } from '@plexus/contracts';
import type { DeadLetterEraser } from '../../application/erase-person.js';
import { isLetterOf, type PersonTraits } from '../../domain/letter-owner.js';

const STREAM = 'PLEXUS_DLQ';
const TIMEOUT_MS = 10_000;

/**
 * Removes the dead letters of a person, whoever parked them. Message by message: one is in memory at a time, and what was removed by an attempt that broke off stays
 * removed.
 */
export class EraseDeadLetters implements DeadLetterEraser {
  constructor(private readonly bus: Pick<Bus, 'jetstream'>) {}

  ofPerson(person: PersonTraits): Promise<number> {
    const isMeant = ({ subject, data }: { readonly subject: string; readonly data?: string }) => isLetterOf(person, { subject, body: jsonOf(data) });
    return this.bus.jetstream.eraseSubject(STREAM, `plexus.dlq.${person.tenant}.>`, isMeant, { timeoutMs: TIMEOUT_MS });
  }

  async ofSession(tenant: string, sessionId: string): Promise<number> {
    let erased = 0;
    for (const domain of ['run', 'session']) {
      const subject = `plexus.dlq.${tenant}.${domain}.*.v1.${encodeToken(sessionId)}`;
      erased += await this.bus.jetstream.eraseSubject(STREAM, subject, undefined, { timeoutMs: TIMEOUT_MS });
    }
    return erased;
  }
}

/** Undefined for what is no JSON: then its subject alone says whose it is. */
function jsonOf(body: string | undefined): unknown {
  try {
    return JSON.parse(Buffer.from(body ?? '', 'base64').toString());
  } catch {
    return undefined; // Nobody could read it: that may be why it was parked.
  }
}
