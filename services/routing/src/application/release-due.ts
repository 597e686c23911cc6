import type { TenantConfig } from '@plexus/agent-config';
import { waitingRuns } from './accept-message.js';
import type { RoutingStore } from './ports.js';
import type { ReleaseNextRun } from './release-next-run.js';

/** Hands out collected messages once it has been quiet for long enough. */
export class ReleaseDue {
  constructor(
    private readonly store: RoutingStore,
    private readonly release: ReleaseNextRun,
    private readonly configOf: (tenant: string) => TenantConfig | undefined,
  ) {}

  /** Looks at one session. False when none was due. */
  step(): Promise<boolean> {
    return this.store.transaction(async (tx) => {
      const session = await tx.claimRelease();
      if (!session) return false;
      await tx.setRelease(session, undefined);
      if (session.activeRunId === undefined)
        await tx.publish(await this.release.execute(tx, this.configOf(session.tenant), session, await waitingRuns(tx, session)));
      return true;
    });
  }
}
