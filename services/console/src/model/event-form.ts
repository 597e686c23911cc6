export type Schema = Readonly<Record<string, unknown>>;

/** A contract of an event that Plexus understands, as `GET /v1/contracts?kind=in` lists it. */
export interface EventContract {
  readonly name: string;
  readonly type: string;
  readonly summary: string;
  readonly schema: Schema;
  readonly examples: readonly unknown[];
}

export interface Contracts {
  readonly contracts: readonly EventContract[];
  readonly event: { readonly schema: Schema; readonly examples: readonly Record<string, unknown>[] };
}

/** What people fill in, in this order, before the data and after it; the rest of the envelope is for machines and can be written as JSON. */
const ASKED = ['type', 'source', 'id', 'severity'];
const ASKED_LAST = ['subject', 'dedupkey', 'groupkey', 'eventstate', 'expiresat'];
const NEEDED = ['type', 'source', 'id'];

/** What push reads of `data`; everything else in it is passed on. */
const NOTABLE: Schema = {
  type: 'object',
  properties: {
    summary: { type: 'string', maxLength: 2_000 },
    caseId: { type: 'string', maxLength: 256 },
    topics: { type: 'array', items: { type: 'string' } },
    regions: { type: 'array', items: { type: 'string' } },
    entities: { type: 'array', items: { type: 'string' } },
  },
};

/** The schema of the form: the envelope, and as `data` what the chosen contract says, or what push reads of any event. */
export function eventFormSchema(envelope: Schema, contract: EventContract | undefined): Schema {
  const properties = (envelope.properties ?? {}) as Readonly<Record<string, Schema>>;
  const known = (names: readonly string[]) => Object.fromEntries(names.flatMap((name) => (properties[name] === undefined ? [] : [[name, properties[name]]])));
  const { $schema: _dialect, ...data } = contract?.schema ?? NOTABLE;
  return { type: 'object', required: [...NEEDED, ...(contract === undefined ? [] : ['data'])], properties: { ...known(ASKED), data, ...known(ASKED_LAST) } };
}

/** An event to begin with: the example of the contract, or one that shows what matters. */
export function draftEvent(contracts: Contracts, contract: EventContract | undefined, id: string): Record<string, unknown> {
  const example = contracts.event.examples[0] ?? {};
  const base = { specversion: '1.0', type: 'report_published', source: '/console', severity: 'high' };
  if (contract !== undefined) return { ...base, id, type: contract.type, data: contract.examples[0] ?? {} };
  return { ...base, id, ...pick(example, ['type', 'severity']), data: example.data ?? { summary: 'The quarterly report is out.', topics: ['reports'] } };
}

const pick = (from: Readonly<Record<string, unknown>>, names: readonly string[]) =>
  Object.fromEntries(names.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]])));

/** Without fields that were left empty: a form leaves `''` and `undefined` behind. */
export function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty).filter((one) => one !== undefined && one !== '');
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, one]) => [name, withoutEmpty(one)] as const)
      .filter(([, one]) => one !== undefined && one !== '' && !(Array.isArray(one) && one.length === 0)),
  );
}

/** The same as a command, for scripts. Quotes of the shell are escaped. */
export function curlCommand(origin: string, event: unknown): string {
  const body = JSON.stringify(event).replaceAll("'", `'\\''`);
  return `curl -X POST ${origin}/v1/events \\\n  -H "Authorization: Bearer $PLEXUS_TOKEN" \\\n  -H "Content-Type: application/json" \\\n  -d '${body}'`;
}
