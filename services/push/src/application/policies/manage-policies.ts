import { errors } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import { diffPolicies, type PolicyChange } from '../../domain/policy/policy-diff.js';
import { DEFAULT_POLICY, type ReadPolicy, readPolicy } from '../../domain/policy/policy-text.js';
import { type ActivationLog, isRefusal, type PolicyState, type PolicyStore, type Refusal, type StoredPolicy, type TestReport } from './policy-ports.js';
import type { ReplayResult } from './replay-result.js';

/** A policy by its number, or as somebody gives it. */
export interface PolicyReference {
  readonly version?: number | undefined;
  readonly text?: string | undefined;
  readonly body?: Record<string, unknown> | undefined;
}

export interface Activated {
  readonly policy: StoredPolicy;
  readonly replaced: number;
  readonly report: TestReport;
  readonly replay?: ReplayResult;
}

/** Decides the last stretch of the log under both policies. */
export type CheckReplay = (tenant: string, policies: { readonly before: StoredPolicy; readonly after: StoredPolicy }, hours: number) => Promise<ReplayResult>;

/** What may be activated. */
const UNBORN: readonly PolicyState[] = ['draft', 'tested'];
/** An error that is too large loses its details on the way: long lists and messages are cut, the counts are whole, and reports and replays hold the rest. */
const TOLD_LETTERS = 600;
const TOLD_REGRESSIONS = 40;
/** How long an activation waits for the log to have taken it, before it answers without the position. */
const LOG_WAIT_MS = 3_000;
const LOG_POLL_MS = 50;
const EPOCH = new Date(0).toISOString();

/** Version 0, for tenants that have none. */
export const BUILT_IN: StoredPolicy = {
  version: 0,
  name: DEFAULT_POLICY.body.name,
  body: DEFAULT_POLICY.body,
  text: DEFAULT_POLICY.text,
  digest: DEFAULT_POLICY.digest,
  state: 'active',
  createdBy: '',
  createdAt: EPOCH,
};

/** The life of policies: draft → tested → active → retired. Who may call is the caller's business. */
export class ManagePolicies {
  constructor(
    private readonly store: PolicyStore,
    private readonly runTests: (body: StoredPolicy['body']) => TestReport,
    private readonly replay: CheckReplay,
    private readonly log: ActivationLog,
    private readonly clock: Clock,
  ) {}

  /** Stores a draft. INVALID_REQUEST with every issue, NOT_FOUND, CONFLICT when `version` is no draft any more. */
  async put(tenant: string, by: string, given: PolicyReference & { readonly notes?: string | undefined }): Promise<StoredPolicy> {
    const { version, notes } = given;
    const draft = { read: readGiven(given), by, ...(version === undefined ? {} : { version }), ...(notes === undefined ? {} : { notes }) };
    return accepted(await this.store.put(tenant, draft), version);
  }

  /** Runs the embedded tests. Of a stored policy the report is kept, and a draft becomes tested or stays a draft. */
  async test(tenant: string, reference: PolicyReference): Promise<{ report: TestReport; policy?: StoredPolicy }> {
    if (reference.version === undefined) return { report: this.runTests(readGiven(reference).body) };
    const policy = await this.get(tenant, reference.version);
    const report = this.runTests(policy.body);
    if (policy.version === 0) return { report, policy };
    const saved = await this.store.saveReport(tenant, policy.version, policy.text, report);
    if (saved === undefined) throw changed(policy.version);
    return { report, policy: saved };
  }

  /** Tests, replays, and makes it the active one. CONFLICT with every failure when either speaks against it. */
  async activate(tenant: string, by: string, version: number, replayHours: number): Promise<Activated> {
    const [policy, before] = await Promise.all([this.get(tenant, version), this.active(tenant)]);
    requireState(policy, UNBORN, 'Only a draft can be activated; to go back to an earlier policy, roll back.');
    const report = await this.#passing(tenant, policy);
    const replay = await this.replay(tenant, { before, after: policy }, replayHours);
    if (replay.criticalRegressionCount > 0) {
      throw errors.create('CONFLICT', {
        message: `${replay.criticalRegressionCount} critical event(s) from ${replay.coverage.from} to ${replay.coverage.to} would be sent later or not at all.`,
        details: {
          version,
          criticalRegressionCount: replay.criticalRegressionCount,
          criticalRegressions: replay.criticalRegressions.slice(0, TOLD_REGRESSIONS),
        },
      });
    }
    requireComplete(version, replay.coverage);
    return { ...(await this.#activate(tenant, by, policy, before.version, report, UNBORN)), replay };
  }

  /** Back to a policy that was active before; without a version to the last one, or to the built-in one when there was none. */
  async rollback(tenant: string, by: string, version?: number): Promise<Activated> {
    const before = await this.active(tenant);
    const policy = version === undefined ? ((await this.store.previouslyActive(tenant)) ?? BUILT_IN) : await this.get(tenant, version);
    if (policy.version === 0) return this.#backToBuiltIn(tenant, before);
    requireState(policy, ['retired'], 'Only a policy that was active before can be rolled back to.');
    if (policy.activatedAt === undefined) throw errors.create('CONFLICT', { message: `Policy ${policy.version} never was active.` });
    const report = await this.#passing(tenant, policy);
    return this.#activate(tenant, by, policy, before.version, report, ['retired']);
  }

  async #backToBuiltIn(tenant: string, before: StoredPolicy): Promise<Activated> {
    if (before.version === 0) throw errors.create('CONFLICT', { message: 'The built-in policy decides already.' });
    const refused = await this.store.deactivate(tenant, before.version, BUILT_IN);
    if (refused !== undefined) accepted(refused, before.version);
    return { policy: BUILT_IN, replaced: before.version, report: this.runTests(BUILT_IN.body) };
  }

  async retire(tenant: string, version: number): Promise<StoredPolicy> {
    return accepted(await this.store.retire(tenant, version), version);
  }

  /** NOT_FOUND when there is none; version 0 is the built-in one. */
  async get(tenant: string, version?: number): Promise<StoredPolicy> {
    if (version === undefined) return this.#withPosition(tenant, await this.active(tenant));
    if (version === 0) return { ...BUILT_IN, state: (await this.store.active(tenant)) === undefined ? 'active' : 'retired' };
    const policy = version > 0 && version <= 2_147_483_647 ? await this.store.get(tenant, version) : undefined;
    if (policy === undefined) throw notFound(version);
    return this.#withPosition(tenant, policy);
  }

  /** What decides now; the built-in policy when the tenant has none. */
  async active(tenant: string): Promise<StoredPolicy> {
    return (await this.store.active(tenant)) ?? BUILT_IN;
  }

  async list(tenant: string, selection: { readonly limit: number; readonly before?: number }): Promise<{ active: number; policies: StoredPolicy[] }> {
    const [active, policies] = await Promise.all([this.active(tenant), this.store.list(tenant, selection)]);
    return { active: active.version, policies };
  }

  async diff(tenant: string, from: number | undefined, to: PolicyReference): Promise<PolicyChange[]> {
    const [before, after] = await Promise.all([this.get(tenant, from), this.resolve(tenant, to)]);
    return diffPolicies(before.body, after.body);
  }

  /** The policy that a reference means; one that is only given has no version. INVALID_REQUEST, NOT_FOUND. */
  async resolve(tenant: string, reference: PolicyReference): Promise<Pick<StoredPolicy, 'body' | 'digest'> & { readonly version?: number }> {
    if (reference.version === undefined) return readGiven(reference);
    if (reference.text !== undefined || reference.body !== undefined) throw invalid('Name a version, or give a text or a body: one of them.');
    const { version, body, digest } = await this.get(tenant, reference.version);
    return { version, body, digest };
  }

  async #passing(tenant: string, policy: StoredPolicy): Promise<TestReport> {
    const report = this.runTests(policy.body);
    if (report.passed) return report;
    await this.store.saveReport(tenant, policy.version, policy.text, report);
    throw errors.create('CONFLICT', {
      message: `${report.failures.length} of ${report.total} embedded tests of policy ${policy.version} fail.`,
      details: { version: policy.version, failures: report.failures.map(({ test, message }) => ({ test, message: message.slice(0, TOLD_LETTERS) })) },
    });
  }

  async #activate(tenant: string, by: string, policy: StoredPolicy, replaces: number, report: TestReport, from: readonly PolicyState[]): Promise<Activated> {
    const { version, text } = policy;
    const activated = accepted(await this.store.activate(tenant, { version, text, replaces, by, report, from }), version);
    return { policy: await this.#logged(tenant, activated), replaced: replaces, report };
  }

  /** Waits a moment for the log: usually it has the activation within milliseconds. Without it the answer has no position, and the next question finds it. */
  async #logged(tenant: string, policy: StoredPolicy): Promise<StoredPolicy> {
    const until = this.clock.monotonic() + LOG_WAIT_MS;
    for (;;) {
      const known = await this.#withPosition(tenant, policy);
      if (known.activatedSeq !== undefined || this.clock.monotonic() >= until) return known;
      await this.clock.sleep(LOG_POLL_MS);
    }
  }

  async #withPosition(tenant: string, policy: StoredPolicy): Promise<StoredPolicy> {
    if (policy.state !== 'active' || policy.version === 0 || policy.activatedSeq !== undefined) return policy;
    const activatedSeq = await this.log.positionOf(tenant, policy.version);
    if (activatedSeq === undefined) return policy;
    await this.store.noteSeq(tenant, policy.version, activatedSeq);
    return { ...policy, activatedSeq };
  }
}

function readGiven({ text, body }: PolicyReference): ReadPolicy {
  if ((text === undefined) === (body === undefined)) throw invalid('Give either a text or a body.');
  const read = readPolicy(text === undefined ? { body } : { text });
  if (read.ok) return read.value;
  const issues = read.error;
  const message = issues.map(({ path, message: said }) => (path === '' ? said : `${path}: ${said}`)).join('; ');
  throw errors.create('INVALID_REQUEST', { message: `The policy is not valid: ${message.slice(0, 2_000)}`, details: { issues } });
}

function accepted(answer: StoredPolicy | Refusal, version: number | undefined): StoredPolicy {
  if (!isRefusal(answer)) return answer;
  switch (answer.refused) {
    case 'unknown':
      throw notFound(version ?? 0);
    case 'wrong-state':
      throw errors.create('CONFLICT', { message: `Policy ${version} is in another state than this needs; read it again.`, details: { version } });
    case 'changed':
      throw changed(version ?? 0);
    case 'active-changed':
      throw errors.create('CONFLICT', {
        message: 'Another policy became active meanwhile; this one was compared with its predecessor. Try again.',
        details: { version },
      });
    case 'too-many':
      throw errors.create('QUOTA_EXCEEDED', { message: 'The tenant keeps too many policies.' });
  }
}

/** A policy that loses critical events may lose them exactly where nobody looked. */
function requireComplete(version: number, coverage: ReplayResult['coverage']): void {
  if (coverage.complete) return;
  const { from, to, partitions, inputs } = coverage;
  throw errors.create('CONFLICT', {
    message:
      `The log from ${from} to ${to} was not looked through as a whole (${inputs} inputs, ${partitions} partitions): whether critical events would be ` +
      'lost is not known. Give fewer `replayHours`.',
    details: { version, coverage: { from, to, partitions, inputs } },
  });
}

function requireState(policy: StoredPolicy, states: readonly PolicyState[], message: string): void {
  if (!states.includes(policy.state)) throw errors.create('CONFLICT', { message, details: { version: policy.version, state: policy.state } });
}

function changed(version: number): Error {
  return errors.create('CONFLICT', { message: `Policy ${version} was changed meanwhile; read it again.`, details: { version } });
}

function notFound(version: number): Error {
  return errors.create('NOT_FOUND', { message: `There is no policy ${version}.`, details: { version } });
}

function invalid(message: string): Error {
  return errors.create('INVALID_REQUEST', { message });
}
