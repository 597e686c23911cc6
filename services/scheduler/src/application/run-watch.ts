import type { RunStore, SessionLog } from './ports.js';

const BATCH = 64;

/** Ends runs that nobody else will: no VM in time, silent for too long, cancelled and ignored. Called with every scan. */
export class RunWatch {
  constructor(
    private readonly runs: RunStore,
    private readonly log: SessionLog,
    private readonly newVmId: () => string,
  ) {}

  async tick(): Promise<void> {
    await this.runs.bindDue(this.newVmId);
    for (const run of await this.runs.unavailable(BATCH)) {
      await this.runs.end(run, { kind: 'error', code: 'VM_UNAVAILABLE', text: `No VM could be had in time: ${run.reason}` });
    }
    for (const run of await this.runs.checkDue(BATCH)) {
      if (run.cancelReason !== undefined) {
        await this.runs.end(run, { kind: 'cancelled', reason: run.cancelReason, synthesized: true });
        continue;
      }
      // The stream's clock and the database's may differ by a little; time limits of runs are minutes.
      const aliveUntil = ((await this.log.lastEventAt(run.tenant, run.sessionId)) ?? 0) + run.timeoutMs;
      if (aliveUntil > run.now) await this.runs.checkAgainAt(run, aliveUntil);
      else await this.runs.end(run, { kind: 'error', code: 'RUN_TIMEOUT', text: `Nothing happened for ${Math.round(run.timeoutMs / 1_000)} s.` });
    }
  }
}
