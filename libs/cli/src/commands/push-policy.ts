import { pushPolicyContracts as push } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.js';
import type { MeshOptions } from '../mesh.js';
import { callAsOperator } from '../operator-call.js';
import { type Output, table } from '../output.js';
import { type CheckedPolicyFile, checkPolicyFile, readPolicyFile } from '../policy-file.js';
import { changeLine, jobLines } from './push-replay-lines.js';

interface In {
  readonly tenant: string;
}

type Caller = <C extends Parameters<typeof callAsOperator>[1]>(
  rpc: C,
  who: In,
  data: Parameters<typeof callAsOperator<C>>[3],
) => ReturnType<typeof callAsOperator<C>>;

const inTenant = (command: Command): Command => command.option('--tenant <tenant>', 'the tenant', 'default');
const WAIT_MS = 5_000;

function versionOf(text: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new CommandFailure(`${JSON.stringify(text)} is no version: a whole number is.`, EXIT.usage);
}

/** A version, or a file that holds a policy. */
const isVersion = (text: string): boolean => /^[0-9]{1,9}$/.test(text);

/** `plexus push policy test|put|activate|rollback|retire|replay|ls|show|diff`. */
export function pushPolicyCommands(command: Command, output: () => Output, mesh: () => MeshOptions): void {
  const policy = command.command('policy').description('policies: how the tenant is interrupted. Drafts are tested and replayed before they decide');
  const call: Caller = (rpc, who, data) => callAsOperator(mesh(), rpc, who, data);
  reading(policy, output, call);
  writing(policy, output, call);
  replaying(policy, output, call);
}

function reading(policy: Command, output: () => Output, call: Caller): void {
  inTenant(policy.command('ls').description('newest first; * decides'))
    .option('--limit <n>', 'at most so many', Number, 50)
    .action(async ({ limit, ...who }: In & { limit: number }) => {
      const answer = await call(push.listPolicies, who, { limit });
      const rows = answer.policies.map((one) => [
        `${one.version === answer.active ? '*' : ' '}${one.version}`,
        one.state,
        one.name,
        one.tests === undefined ? '–' : `${one.tests.total - one.tests.failed}/${one.tests.total}`,
        one.activatedAt ?? '–',
        one.notes ?? '',
      ]);
      const builtIn = answer.active === 0 ? ['The built-in policy (version 0) decides: every default.'] : [];
      output().result(answer, [...table([['VERSION', 'STATE', 'NAME', 'TESTS', 'ACTIVATED', 'NOTES'], ...rows]), ...builtIn]);
    });

  inTenant(policy.command('show [version]').description('its text as it was written; without a version the one that decides; 0 = the built-in one'))
    .option('--full', 'with every default filled in, as JSON')
    .action(async (version: string | undefined, { full, ...who }: In & { full?: boolean }) => {
      const answer = await call(push.getPolicy, who, version === undefined ? {} : { version: versionOf(version) });
      const { version: number, state, name, activatedSeq, digest } = answer.policy;
      const head = `# policy ${number} "${name}": ${state}${activatedSeq === undefined ? '' : `, since position ${activatedSeq} of the log`}; sha256 ${digest}`;
      output().result(answer, [head, full === true ? JSON.stringify(answer.body, null, 2) : answer.text.trimEnd()]);
    });

  inTenant(policy.command('diff <from> [to]').description('what differs, field by field; with one version: from the active policy to that')).action(
    async (from: string, to: string | undefined, who: In) => {
      const data =
        to === undefined ? { to: versionOf(from) } : { from: versionOf(from), ...(isVersion(to) ? { to: Number(to) } : { text: readPolicyFile(to) }) };
      const answer = await call(push.diffPolicies, who, data);
      const lines = answer.changes.map(({ path, before, after }) => `${path}: ${shown(before)} → ${shown(after)}`);
      output().result(answer, lines.length === 0 ? 'They decide alike.' : lines);
    },
  );
}

function writing(policy: Command, output: () => Output, call: Caller): void {
  inTenant(policy.command('test <file|version>').description('run the embedded tests: of a file without any mesh, or of a stored version')).action(
    async (what: string, who: In) => {
      const checked: CheckedPolicyFile = isVersion(what) ? await tested(call, who, Number(what)) : await checkPolicyFile(readPolicyFile(what));
      output().result(checked, reportLines(what, checked));
      if (checked.issues.length > 0 || checked.report?.passed !== true) process.exitCode = EXIT.findings;
    },
  );

  inTenant(policy.command('put <file>').description('store a draft, YAML or JSON'))
    .option('--version <n>', 'another text for this draft', versionOf)
    .option('--notes <text>', 'what it is for')
    .action(async (file: string, { version, notes, ...who }: In & { version?: number; notes?: string }) => {
      const data = { text: readPolicyFile(file), ...(version === undefined ? {} : { version }), ...(notes === undefined ? {} : { notes }) };
      const answer = await call(push.putPolicy, who, data);
      output().result(answer, `policy ${answer.policy.version} "${answer.policy.name}" is a draft`);
    });

  inTenant(policy.command('activate <version>').description('test it, replay the last stretch of the log, and let it decide'))
    .option('--replay-hours <n>', 'how far back critical regressions are looked for', Number, 24)
    .action(async (version: string, { replayHours, ...who }: In & { replayHours: number }) => {
      const answer = await call(push.activatePolicy, who, { version: versionOf(version), replayHours }).catch(refused);
      output().result(answer, activatedLines(answer));
    });

  inTenant(policy.command('rollback [version]').description('go back to the policy that was active before, or to a named one; 0 = the built-in one')).action(
    async (version: string | undefined, who: In) => {
      const answer = await call(push.rollbackPolicy, who, version === undefined ? {} : { version: versionOf(version) }).catch(refused);
      output().result(answer, activatedLines(answer));
    },
  );

  inTenant(policy.command('retire <version>').description('put a draft aside')).action(async (version: string, who: In) => {
    const answer = await call(push.retirePolicy, who, { version: versionOf(version) });
    output().result(answer, `policy ${answer.policy.version} is retired`);
  });
}

function replaying(policy: Command, output: () => Output, call: Caller): void {
  inTenant(policy.command('replay <file|version>').description('decide a stretch of the log once more under a policy and compare; nothing is sent or changed'))
    .requiredOption('--from <instant>', 'ISO 8601, as long as the log is kept (14 days)')
    .option('--to <instant>', 'ISO 8601; default: now')
    .option('--users <list>', 'only these users, by commas')
    .option('--warm-up-hours <n>', 'how long before --from the present policy decides, so that windows and groups are as they were', Number, 24)
    .option('--no-wait', 'print the job and leave; `plexus push policy job <id>` asks for it')
    .action(async (what: string, options: In & { from: string; to?: string; users?: string; warmUpHours: number; wait: boolean }) => {
      const { from, to, users, warmUpHours, wait, ...who } = options;
      const reference = isVersion(what) ? { version: Number(what) } : { text: readPolicyFile(what) };
      const rest = { ...(to === undefined ? {} : { to }), ...(users === undefined ? {} : { users: users.split(',') }) };
      let job = await call(push.replayPolicy, who, { ...reference, from, warmUpHours, ...rest, waitMs: wait ? WAIT_MS : 0 });
      while (wait && job.state === 'running') {
        output().note(`${job.jobId}: ${job.progress.inputs} inputs, ${job.progress.partitions} of 64 partitions`);
        job = await call(push.getReplay, who, { jobId: job.jobId, waitMs: WAIT_MS });
      }
      output().result(job, jobLines(job));
      if (job.state === 'failed' || (job.result?.criticalRegressionCount ?? 0) > 0) process.exitCode = EXIT.findings;
    });

  inTenant(policy.command('job <id>').description('how far a replay is, or what it found'))
    .option('--cancel', 'end it')
    .action(async (jobId: string, { cancel, ...who }: In & { cancel?: boolean }) => {
      const job = cancel === true ? await call(push.cancelReplay, who, { jobId }) : await call(push.getReplay, who, { jobId });
      output().result(job, jobLines(job));
    });
}

async function tested(call: Caller, who: In, version: number): Promise<CheckedPolicyFile> {
  const { report, policy } = await call(push.testPolicy, who, { version });
  return { issues: [], report, ...(policy === undefined ? {} : { name: policy.name, digest: policy.digest }) };
}

/** A report for people: what is wrong with the text, else each failing test and the count. */
export function reportLines(what: string, { name, issues, report }: CheckedPolicyFile): string[] {
  if (issues.length > 0 || report === undefined) {
    return [`${what} is no policy:`, ...issues.map(({ path, message }) => `  ${path === '' ? '' : `${path}: `}${message.split('\n').join('\n  ')}`)];
  }
  const failing = new Map<string, string[]>();
  for (const { test, message } of report.failures) failing.set(test, [...(failing.get(test) ?? []), message]);
  const details = [...failing].flatMap(([test, messages]) => [`  ✗ ${test}`, ...messages.map((message) => `      ${message}`)]);
  const verdict = report.total === 0 ? 'has no tests' : `${report.total - failing.size} of ${report.total} tests pass`;
  return [`policy "${name ?? what}": ${verdict}`, ...details];
}

function activatedLines({
  policy,
  replaced,
  report,
  replay,
}: {
  policy: push.PolicySummary;
  replaced: number;
  report: push.PolicyTestReport;
  replay?: push.ReplayResult | undefined;
}): string[] {
  const position = policy.activatedSeq === undefined ? 'the log takes it as soon as it can' : `from position ${policy.activatedSeq} of the log on`;
  const which = policy.version === 0 ? 'the built-in policy' : `policy ${policy.version} "${policy.name}"`;
  const lines = [`${which} decides, ${position}; it replaces ${replaced === 0 ? 'the built-in one' : `policy ${replaced}`}`];
  lines.push(`${report.total} tests passed`);
  if (replay !== undefined) {
    const { coverage, added, removed, moved } = replay;
    const part = coverage.complete ? '' : ` (${coverage.partitions} of 64 partitions: more than a call may take; \`policy replay\` covers all)`;
    lines.push(
      `replayed ${coverage.inputs} inputs of ${coverage.users} users${part}: ${added} added, ${removed} removed, ${moved} moved, no critical regression`,
    );
  }
  return lines;
}

/** A refusal with everything that speaks against the policy. */
function refused(error: unknown): never {
  if (!PlexusError.isPlexusError(error) || error.code !== 'CONFLICT') throw error;
  const { failures = [], criticalRegressions = [] } = (error.details ?? {}) as {
    readonly failures?: push.PolicyTestReport['failures'];
    readonly criticalRegressions?: push.ReplayResult['criticalRegressions'];
  };
  const lines = [...failures.map(({ test, message }) => `  ✗ ${test}: ${message}`), ...criticalRegressions.map((change) => `  ! ${changeLine(change)}`)];
  throw new CommandFailure([error.message, ...lines].join('\n'), EXIT.failed, undefined, error.code);
}

function shown(value: unknown): string {
  return value === undefined ? '–' : JSON.stringify(value);
}
