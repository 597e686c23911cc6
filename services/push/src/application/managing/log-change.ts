import type { InputOf, pushLogContracts } from '@plexus/contracts';

type Logged = typeof pushLogContracts.PUSH_LOG;
type Kind = 'preference' | 'silence' | 'grant' | 'subscription';

/** The user in the log that stands for everybody of a tenant. */
export const EVERYBODY = '_';

/** What the log is told about a change, in the transaction that makes it. `id` makes a repeat harmless: unique per (tenant, user, kind). */
export type LogChange = { [K in Kind]: { readonly kind: K; readonly user: string; readonly id: string; readonly data: InputOf<Logged[`${K}Logged`]> } }[Kind];

/** What a pure decision about stored rows comes to: the answer, and what the log is told. */
export interface Decided<T> {
  readonly result: T;
  readonly log: readonly LogChange[];
}
