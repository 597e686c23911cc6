import type { Bus } from '@plexus/bus';
import { memoryContracts } from '@plexus/contracts';
import type { WaitingWrites } from '../../application/archive-ports.js';
import type { Scope } from '../../domain/access.js';

const STREAM = 'PLEXUS_CMD_MEMORY';
const TIMEOUT_MS = 10_000;

/** Removes commands of a scope that nobody has worked on yet. Publishers write `<kind>:<id>` into the subject, and into the body for whom. */
export class PurgeWaitingWrites implements WaitingWrites {
  constructor(private readonly bus: Pick<Bus, 'jetstream'>) {}

  purge(tenant: string, { kind, id }: Scope, user?: string): Promise<number> {
    const subject = memoryContracts.writeMemoryCommand.subject(tenant, `${kind}:${id}`);
    const isMeant = ({ data }: { readonly data?: string }) => user === undefined || userOf(data) === user;
    return this.bus.jetstream.eraseSubject(STREAM, subject, isMeant, { timeoutMs: TIMEOUT_MS });
  }
}

/** In whose name a command was sent; undefined for what is no command, which the consumer parks. */
function userOf(body: string | undefined): string | undefined {
  try {
    const event = JSON.parse(Buffer.from(body ?? '', 'base64').toString()) as { readonly data?: { readonly user?: unknown } } | null;
    return typeof event?.data?.user === 'string' ? event.data.user : undefined;
  } catch {
    return undefined;
  }
}
