import type { Bus } from '@plexus/bus';
import { NO_TENANT, pushLogContracts } from '@plexus/contracts';
import type { ActivationLog } from '../../application/policies/policy-ports.js';

const LOG = 'PLEXUS_PUSH_LOG';

/** Where in the log the policy of a tenant became active: each partition's newest activation. */
export class NatsActivationLog implements ActivationLog {
  constructor(private readonly bus: Pick<Bus, 'lastOnSubject'>) {}

  async positionOf(tenant: string, version: number): Promise<number | undefined> {
    const parts = Array.from({ length: pushLogContracts.PUSH_PARTITIONS }, (_, part) => String(part));
    const subjects = parts.map((part) => pushLogContracts.policyLogged.subject(tenant, part, NO_TENANT));
    // The last to be published first: usually one question is enough to know that it is not there yet.
    const last = await this.#positionOn(subjects.at(-1) as string, version);
    if (last === undefined) return undefined;
    const positions = await Promise.all(subjects.map((subject) => this.#positionOn(subject, version)));
    return positions.includes(undefined) ? undefined : Math.max(...(positions as number[]));
  }

  async #positionOn(subject: string, version: number): Promise<number | undefined> {
    const message = await this.bus.lastOnSubject(LOG, subject);
    if (message === undefined) return undefined;
    const { data } = message.json<{ readonly data?: { readonly version?: unknown } }>();
    return data?.version === version ? message.seq : undefined;
  }
}
