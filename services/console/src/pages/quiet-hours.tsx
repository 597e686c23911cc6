import type { pushLogContracts as log } from '@plexus/contracts';
import { useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useApi } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { useResource } from '../api/use-resource.js';
import { weekdayNames } from '../model/format.js';
import { ActionForm, ownTimeZone, SelectField, TextField, TimeZoneField } from '../ui/form.js';
import { Badge, Busy, Card, ErrorNote } from '../ui/parts.js';
import { useToast } from '../ui/toasts.js';

type Hours = log.QuietHours;
interface Said {
  readonly own: Hours | null;
  readonly tenant: Hours | null;
}
const EVERY_DAY = [0, 1, 2, 3, 4, 5, 6];
const PRIORITIES = ['P0', 'P1', 'P2'] as const;
const rangeOf = ({ start, end, tz }: Hours) => `${start} – ${end} ${tz}`;

/** Hours in which nothing interrupts. */
export function QuietHours() {
  const { t } = useTranslation();
  const api = useApi();
  const hours = useResource(useCallback((signal: AbortSignal) => api.get<Said>('/v1/quiet-hours', undefined, signal), [api]));
  const { data } = hours;
  return (
    <Card
      title={t('reach.quiet.title')}
      actions={data !== undefined && <Badge tone={data.own === null ? 'plain' : 'ok'}>{data.own === null ? t('reach.quiet.off') : rangeOf(data.own)}</Badge>}
    >
      <ErrorNote error={hours.error} retry={hours.reload} />
      {hours.loading && <Busy />}
      {data !== undefined && <Form key={JSON.stringify(data.own)} said={data} onChanged={hours.reload} />}
    </Card>
  );
}

function Form({ said: { own, tenant }, onChanged }: { readonly said: Said; readonly onChanged: () => void }) {
  const { t, i18n } = useTranslation();
  const api = useApi();
  const say = useToast();
  const [hours, setHours] = useState<Hours>(own ?? { tz: ownTimeZone(), start: '22:00', end: '07:00', days: EVERY_DAY, bypassPriority: 'P0' });
  const change = (part: Partial<Hours>) => setHours((before) => ({ ...before, ...part }));
  const save = useAction(async () => {
    await api.put('/v1/quiet-hours', hours);
    say(t('reach.quiet.saved'));
    onChanged();
  });
  const off = useAction(async () => {
    await api.delete('/v1/quiet-hours');
    say(t('reach.quiet.removed'));
    onChanged();
  });
  return (
    <ActionForm
      action={save}
      label={t('reach.quiet.save')}
      extra={
        own !== null && (
          <button type="button" className="button" disabled={off.busy} onClick={() => void off.run()}>
            {t('reach.quiet.remove')}
          </button>
        )
      }
    >
      <p className="muted">{own === null && tenant !== null ? t('reach.quiet.tenant', { hours: rangeOf(tenant) }) : t('reach.quiet.text')}</p>
      <div className="fields">
        <TextField label={t('reach.quiet.start')} type="time" value={hours.start} onChange={(start) => change({ start })} />
        <TextField label={t('reach.quiet.end')} type="time" value={hours.end} onChange={(end) => change({ end })} />
      </div>
      <TimeZoneField label={t('reach.zone')} value={hours.tz} onChange={(tz) => change({ tz })} />
      <fieldset className="days">
        <legend>{t('reach.quiet.days')}</legend>
        <div className="row">
          {weekdayNames(i18n.language).map((name, day) => (
            <label key={name} className="check">
              <input
                type="checkbox"
                checked={hours.days.includes(day)}
                onChange={({ target }) => change({ days: EVERY_DAY.filter((one) => (one === day ? target.checked : hours.days.includes(one))) })}
              />
              {name}
            </label>
          ))}
        </div>
      </fieldset>
      <SelectField
        label={t('reach.quiet.bypass')}
        value={hours.bypassPriority as (typeof PRIORITIES)[number]}
        options={PRIORITIES.map((value) => ({ value, label: t(`reach.quiet.priority.${value}`) }))}
        onChange={(bypassPriority) => change({ bypassPriority })}
      />
      <ErrorNote error={off.error} />
    </ActionForm>
  );
}
