import type { pushPolicyContracts as policy } from '@plexus/contracts';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useApi } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { formatNumber } from '../model/format.js';
import { Badge, Busy, ErrorNote, Field, Notice, When } from '../ui/parts.js';

type Job = policy.ReplayJob;
type Change = policy.ReplayChange;
const HOURS = [1, 6, 24, 72, 168, 336] as const;
const HOUR_MS = 3_600_000;
const WAIT_MS = 5_000;

/** What the policy would have done with the last hours, beside what was done. */
export function PolicyReplay({ version, unsaved }: { readonly version: number; readonly unsaved: boolean }) {
  const { t } = useTranslation();
  const api = useApi();
  const [hours, setHours] = useState<number>(24);
  const replay = useAction(async () => {
    let job = await api.post<Job>(`/v1/policies/${version}/replay`, { from: new Date(Date.now() - hours * HOUR_MS).toISOString(), waitMs: WAIT_MS });
    while (job.state === 'running') job = await api.get<Job>(`/v1/policies/replays/${encodeURIComponent(job.jobId)}`, { waitMs: WAIT_MS });
    if (job.result === undefined) throw new Error(job.error ?? t('replay.ended', { state: job.state }));
    return job;
  });
  return (
    <div className="stack">
      <p className="muted">{t('replay.text')}</p>
      {unsaved && <Notice tone="warn">{t('replay.unsaved')}</Notice>}
      <form
        className="row end"
        onSubmit={(event) => {
          event.preventDefault();
          void replay.run();
        }}
      >
        <Field label={t('replay.window')}>
          {(control) => (
            <select {...control} className="input" value={hours} onChange={({ target }) => setHours(Number(target.value))}>
              {HOURS.map((value) => (
                <option key={value} value={value}>
                  {t('replay.hours', { count: value })}
                </option>
              ))}
            </select>
          )}
        </Field>
        <button type="submit" className="button primary" disabled={replay.busy}>
          {t('replay.run')}
        </button>
      </form>
      {replay.busy && <Busy text={t('replay.busy')} />}
      <ErrorNote error={replay.error} />
      {replay.result?.result !== undefined && !replay.busy && <Result result={replay.result.result} against={replay.result.against} />}
    </div>
  );
}

function Result({ result, against }: { readonly result: policy.ReplayResult; readonly against: number }) {
  const { t, i18n } = useTranslation();
  const number = (value: number) => formatNumber(value, i18n.language);
  const most = Math.max(1, ...result.volume.flatMap(({ before, after }) => [before, after]));
  return (
    <div className="stack">
      <Notice tone={result.criticalRegressionCount > 0 ? 'bad' : 'ok'} live title={t('replay.critical', { count: result.criticalRegressionCount })}>
        {t('replay.coverage', { inputs: number(result.coverage.inputs), users: number(result.coverage.users), against })}
      </Notice>
      <dl className="figures">
        {(['added', 'removed', 'moved', 'unchanged'] as const).map((name) => (
          <div key={name}>
            <dt>{t(`replay.${name}`)}</dt>
            <dd>{number(result[name])}</dd>
          </div>
        ))}
        <div>
          <dt>{t('replay.interrupts')}</dt>
          <dd>
            {number(result.interrupts.before)} → {number(result.interrupts.after)}
          </dd>
        </div>
      </dl>
      <h3>{t('replay.volume')}</h3>
      <table className="plain">
        <thead>
          <tr>
            <th scope="col">{t('replay.perUser')}</th>
            <th scope="col">{t('replay.before')}</th>
            <th scope="col">{t('replay.after')}</th>
          </tr>
        </thead>
        <tbody>
          {result.volume.map(({ min, max, before, after }) => (
            <tr key={min}>
              <th scope="row">{max === undefined ? `${min}+` : min === max ? min : `${min}–${max}`}</th>
              {[before, after].map((users, index) => (
                <td key={index}>
                  <div className="row tight">
                    <div className="bar" aria-hidden="true" style={{ flex: 1 }}>
                      <span style={{ width: `${(users / most) * 100}%` }} />
                    </div>
                    <span className="number">{number(users)}</span>
                  </div>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      <Changes changes={[...result.criticalRegressions, ...result.examples.added, ...result.examples.removed, ...result.examples.moved]} />
      {result.coverage.assumptions.map((sentence) => (
        <p key={sentence} className="small muted">
          {sentence}
        </p>
      ))}
    </div>
  );
}

function Changes({ changes }: { readonly changes: readonly Change[] }) {
  const { t } = useTranslation();
  if (changes.length === 0) return <p className="muted">{t('replay.nothing')}</p>;
  const side = (what: Change['before']) =>
    what === undefined ? (
      <span className="muted">–</span>
    ) : (
      <>
        <Badge tone={what.verdict === 'sent' ? 'ok' : what.verdict === 'deferred' ? 'warn' : 'plain'}>
          {t(`explain.reason.${what.reason.split(':')[0] as 'sent'}`, { defaultValue: what.reason })}
        </Badge>{' '}
        <When at={what.at} />
      </>
    );
  return (
    <div className="scroll-x">
      <table className="plain">
        <thead>
          <tr>
            {(['user', 'event', 'before', 'after'] as const).map((name) => (
              <th key={name} scope="col">
                {t(`replay.column.${name}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {changes.map(({ user, event, before, after, why }) => (
            <tr key={`${user} ${event.origin} ${event.source} ${event.id}`}>
              <th scope="row">{user}</th>
              <td>
                <span className="mono">{event.type}</span> <span className="muted mono">{event.id}</span>
                {why !== undefined && <div className="small muted">{why}</div>}
              </td>
              <td>{side(before)}</td>
              <td>{side(after)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
