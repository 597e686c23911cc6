import { FakeClock } from '@plexus/kernel';
import { type ReplayJob, ReplayJobs, type ReplayJobStore } from './replay-jobs.js';
import type { ReplayFinding, ReplayLog, ReplayProgress, ReplayRequest } from './replay-log.js';

/** Jobs in memory, as the table keeps them. */
class MemoryJobs implements ReplayJobStore {
  readonly jobs = new Map<string, ReplayJob & { cancel?: boolean }>();
  beats = 0;

  async create({ id, digest, against }: Parameters<ReplayJobStore['create']>[0], _aliveMs: number, most: number): Promise<boolean> {
    if ([...this.jobs.values()].filter(({ state }) => state === 'running').length >= most) return false;
    this.jobs.set(id, { jobId: id, state: 'running', progress: { inputs: 0, partitions: 0 }, against, digest, createdAt: new Date(0).toISOString() });
    return true;
  }
  async beat(_tenant: string, id: string, progress: ReplayProgress): Promise<boolean> {
    this.beats += 1;
    const job = this.jobs.get(id) as ReplayJob & { cancel?: boolean };
    this.jobs.set(id, { ...job, progress });
    return job.cancel !== true;
  }
  async finish(_tenant: string, id: string, end: Parameters<ReplayJobStore['finish']>[2]): Promise<void> {
    const job = this.jobs.get(id) as ReplayJob;
    this.jobs.set(id, {
      ...job,
      state: end.state,
      ...(end.state === 'done' ? { result: end.finding.result } : {}),
      ...('error' in end ? { error: end.error } : {}),
    });
  }
  async cancel(_tenant: string, id: string): Promise<boolean> {
    const job = this.jobs.get(id);
    if (job !== undefined) this.jobs.set(id, { ...job, cancel: true });
    return job !== undefined;
  }
  async get(_tenant: string, id: string): Promise<ReplayJob | undefined> {
    return this.jobs.get(id);
  }
  async regressions(): Promise<undefined> {}
  async prune(): Promise<void> {}
}

/** A replay that ends when the test says so, or when it is told to. */
class SteeredReplay {
  private readonly ends: { resolve(finding: ReplayFinding): void; reject(error: unknown): void }[] = [];
  report: (progress: ReplayProgress) => void = () => {};

  run(_request: ReplayRequest, _limits: unknown, signal: AbortSignal, onProgress: (progress: ReplayProgress) => void): Promise<ReplayFinding> {
    this.report = onProgress;
    return new Promise((resolve, reject) => {
      this.ends.push({ resolve, reject });
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  }
  end(): void {
    this.ends.shift()?.resolve({ result: {} as ReplayFinding['result'], mentions: [] });
  }
  fail(error: Error): void {
    this.ends.shift()?.reject(error);
  }
}

const policy = { version: 1, body: {} as ReplayRequest['before']['body'] };
const request: ReplayRequest = { tenant: 'acme', before: policy, after: policy, warmUpFrom: 0, from: 0, to: 1 };

function setUp() {
  const [clock, store, replay, stopping, faults] = [new FakeClock(), new MemoryJobs(), new SteeredReplay(), new AbortController(), [] as unknown[]];
  let ids = 0;
  const limits = { replay: { inputs: 1, held: 1, ms: 1 }, perTenant: 2, perReplica: 3 };
  const newId = () => String(++ids);
  const jobs = new ReplayJobs(store, replay as unknown as ReplayLog, newId, clock, limits, stopping.signal, (error) => faults.push(error));
  return { clock, store, replay, stopping, faults, jobs, start: () => jobs.start(request, { digest: 'd' }) };
}

describe('replays as jobs', () => {
  it('tell their progress while they run and their result when they are done', async () => {
    const { clock, replay, jobs, start } = setUp();
    const id = await start();
    replay.report({ inputs: 7, partitions: 1 });
    await clock.advance(1_000);
    expect(await jobs.get('acme', id, 0)).toMatchObject({ state: 'running', progress: { inputs: 7, partitions: 1 } });
    replay.end();
    await jobs.settled();
    expect(await jobs.get('acme', id, 0)).toMatchObject({ state: 'done', result: {} });
  });

  it('end when somebody cancels them, and keep nothing', async () => {
    const { clock, store, jobs, start, faults } = setUp();
    const id = await start();
    await store.cancel('acme', id);
    await clock.advance(1_000);
    await jobs.settled();
    expect(await jobs.get('acme', id, 0)).toMatchObject({ state: 'cancelled' });
    expect(faults).toEqual([]);
  });

  it('say why they failed', async () => {
    const { replay, jobs, start, faults } = setUp();
    const id = await start();
    replay.fail(new Error('the log cannot be read'));
    await jobs.settled();
    expect(await jobs.get('acme', id, 0)).toMatchObject({ state: 'failed', error: 'the log cannot be read' });
    expect(faults).toHaveLength(1);
  });

  it('are refused when enough of the tenant are running', async () => {
    const { replay, jobs, start } = setUp();
    await start();
    await start();
    await expect(start()).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    replay.end();
    replay.end();
    await jobs.settled();
    await start();
    replay.end();
    await jobs.settled();
  });

  it('leave no word when their replica stops: it is the missing sign of life that tells', async () => {
    const { stopping, store, jobs, start } = setUp();
    const id = await start();
    stopping.abort();
    await jobs.settled();
    expect(store.jobs.get(id)).toMatchObject({ state: 'running' });
    await expect(start()).rejects.toMatchObject({ code: 'QUEUE_FULL' });
  });
});
