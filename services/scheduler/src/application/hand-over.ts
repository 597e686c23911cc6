import { MAX_LOST_INCARNATIONS } from '../domain/run-ending.js';
import type { Hints, RunRow, RunStore, SessionLog } from './ports.js';

/**
 * Gives an incarnation the open runs that it does not have yet: those that came before it existed, and those that an earlier one
 * left behind. Before a session that an earlier incarnation knew changes hands, a marker is placed in its subject, so that a reader never
 * takes a late event of the old one for one of the new.
 */
export class HandOver {
  constructor(
    private readonly runs: RunStore,
    private readonly log: SessionLog,
    private readonly hints: Hints,
  ) {}

  /** Safe to repeat and to run on several replicas at once. Rejects when the mesh cannot be reached: call it again. */
  async execute(tenant: string, vmId: string, epoch: number): Promise<void> {
    let queued = false;
    for (const run of await this.runs.pendingHandOvers(vmId, epoch)) queued = (await this.handOver(run, vmId, epoch)) || queued;
    if (queued) this.hints.out(tenant, vmId);
  }

  private async handOver(run: RunRow, vmId: string, epoch: number): Promise<boolean> {
    if (run.cancelReason !== undefined) {
      await this.runs.end(run, { kind: 'cancelled', reason: run.cancelReason, synthesized: true });
      return false;
    }
    const lost = run.lost + (run.previousAttached ? 1 : 0);
    if (lost >= MAX_LOST_INCARNATIONS) {
      await this.runs.end(run, { kind: 'error', code: 'VM_LOST', text: `The VM was lost ${lost} times while it worked on this.` });
      return false;
    }
    // No incarnation has ever heard of this session: nothing old can follow.
    if (run.sessionEpoch === 0) return this.runs.handTo(run, vmId, epoch, { resume: false, lost, runSeq: 0, markerSeq: undefined });

    const position = await this.log.mark(run, epoch, vmId);
    if (position.ended) {
      // In the stream, and not read by our consumer yet.
      await this.runs.close(run.tenant, run.sessionId, run.runId, { seq: position.markerSeq, vmId: undefined, epoch: undefined });
      return false;
    }
    return this.runs.handTo(run, vmId, epoch, { resume: lost > 0, lost, runSeq: position.lastRunSeq, markerSeq: position.markerSeq });
  }
}
