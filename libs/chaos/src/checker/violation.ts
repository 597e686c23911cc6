/** What must not happen, by name; the report counts them. */
export const PROMISES = {
  lost: 'nothing that was acknowledged is lost',
  doubled: 'nothing is there twice',
  phantom: 'nothing is there that nobody asked for, or that was refused',
  order: 'messages of one person in one session keep their order',
  offsets: 'offsets of an inbox follow each other without gaps',
  views: 'every device saw exactly what is in the inbox, in order',
  isolation: 'nothing of one tenant reaches another',
  ends: 'every accepted run ends exactly once',
  vms: 'an owner has one VM, and it has one process',
  parked: 'nothing ends among the dead letters',
  rest: 'everything comes to rest',
  agreement: 'database, stream and clients agree',
} as const;
export type Promised = keyof typeof PROMISES;

export interface Violation {
  readonly promise: Promised;
  /** What was found, with the ids that somebody needs to look for it. */
  readonly what: string;
}

export const violation = (promise: Promised, what: string): Violation => ({ promise, what });
