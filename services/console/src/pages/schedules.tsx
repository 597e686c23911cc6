import type { pushTriggersContracts as triggers, ResponseOf } from '@plexus/contracts';
import { useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useApi } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { useResource } from '../api/use-resource.js';
import { actionText, everyOf, schedulePath as pathOf, timingKindOf } from '../model/reach.js';
import { ChangeButton, useChanging } from '../ui/form.js';
import { Badge, Busy, Card, Empty, ErrorNote, When } from '../ui/parts.js';
import { RemoveButton } from '../ui/remove.js';
import { useToast } from '../ui/toasts.js';
import { ScheduleForm } from './schedule-form.js';

type Schedule = triggers.Schedule;
type Runs = ResponseOf<typeof triggers.scheduleRuns>['runs'];
const REFRESH_MS = 10_000;

/** What runs by itself at fixed times. */
export function Schedules() {
  const { t } = useTranslation();
  const api = useApi();
  const list = useResource(
    useCallback((signal: AbortSignal) => api.get<{ schedules: Schedule[] }>('/v1/schedules', { limit: 200 }, signal), [api]),
    REFRESH_MS,
  );
  const { changing, change, end, place } = useChanging<Schedule>();
  const schedules = list.data?.schedules ?? [];
  const done = () => {
    end();
    list.reload();
  };
  return (
    <div className="split wide-left">
      <Card title={t('automation.schedule.title')} flush>
        <ErrorNote error={list.error} retry={list.reload} />
        {list.loading && <Busy />}
        {list.data !== undefined && schedules.length === 0 && (
          <Empty
            icon="clock"
            title={t('automation.schedule.none')}
            text={t('automation.schedule.noneText')}
            command={'npx plexus push schedule add morning --cron "0 9 * * 1-5" --notify "Good morning"'}
          />
        )}
        <ul>
          {schedules.map((one) => (
            <Entry key={one.id} schedule={one} onChanged={list.reload} onChange={() => change(one)} />
          ))}
        </ul>
      </Card>
      <div ref={place}>
        <ScheduleForm key={changing?.id ?? ''} of={changing} onDone={done} {...(changing !== undefined && { onCancel: end })} />
      </div>
    </div>
  );
}

function Entry({ schedule, onChanged, onChange }: { readonly schedule: Schedule; readonly onChanged: () => void; readonly onChange: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const say = useToast();
  const [open, setOpen] = useState(false);
  const { id, name, action, enabled, origin, nextAt } = schedule;
  const turn = useAction(async (on: boolean) => {
    await api.patch(pathOf(id), { enabled: on });
    onChanged();
  });
  const run = useAction(async () => {
    const { state } = await api.post<ResponseOf<typeof triggers.runSchedule>>(`${pathOf(id)}/run`);
    say(t(`automation.schedule.ran.${state}`));
    onChanged();
  });
  const remove = async () => {
    await api.delete(pathOf(id));
    onChanged();
  };
  return (
    <li className="entry">
      <div className="row spread">
        <span>
          <strong>{name}</strong> <Badge>{t(`automation.action.${action.kind}`)}</Badge>
        </span>
        <span className="row">
          {origin === 'config' ? (
            <Badge>{t('automation.schedule.fromConfig')}</Badge>
          ) : (
            <label className="check">
              <input
                type="checkbox"
                aria-label={t('of', { what: t('automation.on'), name })}
                checked={enabled}
                disabled={turn.busy}
                onChange={({ target }) => void turn.run(target.checked)}
              />
              {t('automation.on')}
            </label>
          )}
        </span>
      </div>
      <p className="clip">{actionText(action)}</p>
      <div className="row spread">
        <span className="small muted">
          <TimingText schedule={schedule} />
          {enabled && nextAt !== undefined && (
            <>
              {' · '}
              {t('automation.schedule.next')} <When at={nextAt} ago />
            </>
          )}
        </span>
        <span className="row">
          <button
            type="button"
            className="button small"
            disabled={run.busy}
            onClick={() => void run.run()}
            aria-label={t('of', { what: t('automation.schedule.run'), name })}
          >
            {t('automation.schedule.run')}
          </button>
          <button
            type="button"
            className="button small"
            aria-expanded={open}
            onClick={() => setOpen(!open)}
            aria-label={t('of', { what: t('automation.schedule.history'), name })}
          >
            {t('automation.schedule.history')}
          </button>
          {origin === 'user' && <ChangeButton name={name} onChange={onChange} />}
          {origin === 'user' && <RemoveButton name={name} text={t('automation.schedule.removeText')} onRemove={remove} />}
        </span>
      </div>
      <ErrorNote error={turn.error ?? run.error} />
      {open && <History id={id} />}
    </li>
  );
}

function TimingText({ schedule }: { readonly schedule: Schedule }) {
  const { t } = useTranslation();
  const kind = timingKindOf(schedule);
  if (kind === 'at') return <When at={schedule.at} />;
  if (kind === 'every') {
    const { count, unit } = everyOf(schedule.everyMs ?? 0);
    return <>{t(`automation.every.${unit}`, { count })}</>;
  }
  return (
    <>
      <code>{schedule.cron}</code> {schedule.timeZone}
    </>
  );
}

function History({ id }: { readonly id: string }) {
  const { t } = useTranslation();
  const api = useApi();
  const runs = useResource(
    useCallback((signal: AbortSignal) => api.get<{ runs: Runs }>(`${pathOf(id)}/runs`, { limit: 10 }, signal), [api, id]),
    REFRESH_MS,
  );
  if (runs.error !== undefined) return <ErrorNote error={runs.error} retry={runs.reload} />;
  if (runs.data === undefined) return <Busy />;
  if (runs.data.runs.length === 0) return <p className="small muted">{t('automation.schedule.noHistory')}</p>;
  return (
    <ul className="stack close small">
      {runs.data.runs.map(({ dueAt, firedAt, trigger, state, reason }) => (
        <li key={`${dueAt} ${firedAt}`}>
          <Badge tone={state === 'fired' ? 'ok' : 'warn'}>{t(`automation.schedule.state.${state}`)}</Badge> <When at={firedAt} />{' '}
          <span className="muted">
            {t(`automation.schedule.trigger.${trigger}`)} {reason}
          </span>
        </li>
      ))}
    </ul>
  );
}
