import type { SharedState } from '../domain/engine/types.js';
import type { StoredUser } from './deciding-ports.js';

/**
 * What was committed last of the users of partitions that we own: true only as long as the fence holds, so a partition that was lost or
 * doubted is forgotten as a whole. Bounded; the user that was not needed for longest goes first.
 */
export class RememberedStates {
  private readonly users = new Map<string, { readonly part: number; readonly stored: StoredUser }>();
  private readonly everybody = new Map<string, { readonly part: number; readonly state: SharedState }>();

  constructor(private readonly capacity = 2_000) {}

  user(part: number, tenant: string, user: string): StoredUser | undefined {
    const key = `${tenant}\n${user}`;
    const found = this.users.get(key);
    if (found === undefined || found.part !== part) return undefined;
    this.users.delete(key);
    this.users.set(key, found);
    return found.stored;
  }

  shared(part: number, tenant: string): SharedState | undefined {
    return this.everybody.get(`${part}\n${tenant}`)?.state;
  }

  keep(
    users: readonly { readonly part: number; readonly tenant: string; readonly user: string; readonly stored: StoredUser }[],
    shared: readonly { readonly part: number; readonly tenant: string; readonly state: SharedState }[],
  ): void {
    for (const { part, tenant, user, stored } of users) {
      const key = `${tenant}\n${user}`;
      this.users.delete(key);
      this.users.set(key, { part, stored });
    }
    for (const { part, tenant, state } of shared) this.everybody.set(`${part}\n${tenant}`, { part, state });
    for (const key of this.users.keys()) {
      if (this.users.size <= this.capacity) break;
      this.users.delete(key);
    }
    // Small and few: one per tenant and partition. Bounded all the same.
    for (const key of this.everybody.keys()) {
      if (this.everybody.size <= this.capacity) break;
      this.everybody.delete(key);
    }
  }

  forget(part: number): void {
    for (const [key, { part: of }] of this.users) if (of === part) this.users.delete(key);
    for (const [key, { part: of }] of this.everybody) if (of === part) this.everybody.delete(key);
  }
}
