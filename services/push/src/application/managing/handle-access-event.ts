import { pushDeliveryContracts } from '@plexus/contracts';
import { eventKey } from '../../domain/incoming-event.js';
import { foldAccess } from '../../domain/managing/access.js';
import { textIssues, userIssues } from './invalid.js';
import { type AccessStore, entriesOf } from './manage-access.js';

/** An event of the stream that speaks about access, as it arrived. */
export interface AccessEvent {
  readonly tenant: string;
  /** Source token of the subject: which credential published it. */
  readonly origin: string;
  /** CloudEvents `source` and `id`. */
  readonly source: string;
  readonly id: string;
  /** Name token of the subject. */
  readonly name: string;
  readonly data: unknown;
  /** When the stream stored it, in milliseconds, and where: the order in which words count. */
  readonly at: number;
  readonly seq: number;
}

/**
 * `not-obeyed`: the tenant does not name this source in `push.accessSources`. `invalid`: it says nothing that can be obeyed, and a repeat
 * would not either. `unchanged`: a repeat, or an older word than what is known.
 */
export type AccessEventResult = 'applied' | 'unchanged' | 'not-obeyed' | 'invalid';

const GRANTED = pushDeliveryContracts.accessGranted;
const REVOKED = pushDeliveryContracts.accessRevoked;

/** Obeys what other systems say about who may see a case or topic. Repeats and words that arrive in the wrong order are harmless. */
export class HandleAccessEvent {
  constructor(
    private readonly store: AccessStore,
    /** Source tokens that a tenant lets speak about access. */
    private readonly sourcesOf: (tenant: string) => readonly string[],
  ) {}

  /** True for an event that {@link execute} is to be given before it is matched. */
  concerns(name: string): boolean {
    return name === GRANTED.name || name === REVOKED.name;
  }

  /** Rejects with UNAVAILABLE when the database is away: to be tried again. */
  async execute(event: AccessEvent): Promise<AccessEventResult> {
    const { tenant, origin, seq } = event;
    // As the database keeps it: the order must not depend on fractions.
    const at = Math.trunc(event.at);
    if (!this.concerns(event.name)) return 'invalid';
    if (!this.sourcesOf(tenant).includes(origin)) return 'not-obeyed';
    const granted = event.name === GRANTED.name;
    const read = (granted ? GRANTED : REVOKED).data.safeParse(event.data);
    if (!read.success) return 'invalid';
    const { user, scopeKind, scopeRef, until } = read.data as { user: string; scopeKind: 'case' | 'topic'; scopeRef: string; until?: string };
    if (userIssues(tenant, user).length > 0 || textIssues({ scopeRef }).length > 0) return 'invalid';
    const end = until === undefined ? {} : { until: Date.parse(until) };
    const scope = { scopeKind, scopeRef };
    return this.store.change<AccessEventResult>(tenant, scope, user, (known) => {
      const change = foldAccess(known, { granted, ...end, at, seq, by: origin });
      return { result: change.tell.length > 0 ? 'applied' : 'unchanged', log: entriesOf(scope, user, change, eventKey(event)), change };
    });
  }
}
