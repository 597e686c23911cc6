import { Account, type AccountSurroundings } from './account.js';
import type { DesiredAccount } from './desired-accounts.js';

/** The accounts that run, kept as the configuration wants them: each is started, restarted and stopped by itself. */
export class Accounts {
  private readonly running = new Map<string, Account>();
  private reconciling: Promise<void> = Promise.resolve();
  private wanted: readonly DesiredAccount[] = [];
  private stopped = false;

  constructor(private readonly around: AccountSurroundings) {}

  get(tenant: string, account: string): Account | undefined {
    return this.running.get(nameOf(tenant, account));
  }

  all(): readonly Account[] {
    return [...this.running.values()];
  }

  /** Brings what runs to what is wanted now. Settles when every connection that is not wanted is closed. */
  want(accounts: readonly DesiredAccount[]): Promise<void> {
    this.wanted = accounts;
    this.reconciling = this.reconciling.then(() => this.reconcile());
    return this.reconciling;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.want([]);
  }

  private async reconcile(): Promise<void> {
    const wanted = new Map(this.stopped ? [] : this.wanted.map((each) => [nameOf(each.tenant, each.account), each] as const));
    // Two connections of one account would take each other's messages: the old one is closed before the new one begins.
    const stale = [...this.running].filter(([name, { desired }]) => wanted.get(name)?.fingerprint !== desired.fingerprint);
    await Promise.all(
      stale.map(async ([name, account]) => {
        this.running.delete(name);
        await account.stop(wanted.has(name) || this.stopped ? undefined : 'not configured any more');
      }),
    );
    for (const [name, desired] of wanted) if (!this.running.has(name)) this.running.set(name, new Account(desired, this.around));
  }
}

function nameOf(tenant: string, account: string): string {
  return `${tenant}/${account}`;
}
