const HOUR_MS = 3_600_000;

/** How many codes a user may have sent within an hour, remembered for a bounded number of users. */
export class CodeAllowance {
  /** When codes were sent, oldest first; the users that were seen last stand at the end. */
  readonly #sent = new Map<string, number[]>();

  constructor(private readonly limits: { readonly perHour: number; readonly users: number }) {}

  /** False when the allowance of this hour is used up; otherwise one is taken. */
  take(user: string, now: number): boolean {
    const recent = (this.#sent.get(user) ?? []).filter((at) => now - at < HOUR_MS);
    const isAllowed = recent.length < this.limits.perHour;
    this.#sent.delete(user);
    this.#sent.set(user, isAllowed ? [...recent, now] : recent);
    const [oldest] = this.#sent.keys();
    if (this.#sent.size > this.limits.users && oldest !== undefined) this.#sent.delete(oldest);
    return isAllowed;
  }
}
