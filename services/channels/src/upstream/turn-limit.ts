const WINDOW_MS = 600_000;

/** Counts what comes back per session, so that two agents that answer each other come to an end. */
export class TurnLimit {
  private readonly turns = new Map<string, number[]>();

  constructor(private readonly max: number) {}

  /** True when one more answer of this session may come in now; it then counts. */
  take(session: string, now: number): boolean {
    const recent = (this.turns.get(session) ?? []).filter((at) => now - at < WINDOW_MS);
    const allowed = recent.length < this.max;
    if (allowed) recent.push(now);
    this.turns.delete(session);
    this.turns.set(session, recent);
    if (this.turns.size > 10_000) this.turns.delete(this.turns.keys().next().value as string);
    return allowed;
  }
}
