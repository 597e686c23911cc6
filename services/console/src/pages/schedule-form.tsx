import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useApi } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { EVERY_UNITS, type EveryUnit, everyMs, TIMINGS, type TimingKind } from '../model/reach.js';
import { ActionForm, ownTimeZone, SelectField, TextField, TimeZoneField } from '../ui/form.js';
import { Card, Choice, Field } from '../ui/parts.js';
import { useToast } from '../ui/toasts.js';

const ACTIONS = ['notify', 'agent', 'event'] as const;

/** A schedule of one's own: when, and what. */
export function AddSchedule({ onDone }: { readonly onDone: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const say = useToast();
  const [name, setName] = useState('');
  const [kind, setKind] = useState<(typeof ACTIONS)[number]>('notify');
  const [text, setText] = useState('');
  const timing = useTiming();
  const add = useAction(async () => {
    const action = kind === 'agent' ? { kind, message: text.trim() } : { kind, summary: text.trim() };
    await api.post('/v1/schedules', { name: name.trim(), ...timing.value(), action });
    say(t('automation.schedule.added'));
    setName('');
    setText('');
    onDone();
  });
  return (
    <Card title={t('automation.schedule.add')}>
      <ActionForm action={add} label={t('automation.schedule.action')}>
        <TextField label={t('automation.name')} value={name} onChange={setName} />
        <TimingFields timing={timing} />
        <SelectField
          label={t('automation.schedule.does')}
          value={kind}
          options={ACTIONS.map((value) => ({ value, label: t(`automation.does.${value}`) }))}
          onChange={setKind}
        />
        <Field label={t(`automation.text.${kind}`)}>
          {(control) => <textarea {...control} className="input" rows={2} required value={text} onChange={({ target }) => setText(target.value)} />}
        </Field>
      </ActionForm>
    </Card>
  );
}

type Timing = ReturnType<typeof useTiming>;

/** The three ways to say when, and what of it the gateway is told. */
function useTiming() {
  const [kind, setKind] = useState<TimingKind>('cron');
  const [cron, setCron] = useState('0 9 * * 1-5');
  const [zone, setZone] = useState(ownTimeZone);
  const [count, setCount] = useState('1');
  const [unit, setUnit] = useState<EveryUnit>('hour');
  const [at, setAt] = useState('');
  const value = () =>
    kind === 'cron' ? { cron: cron.trim(), timeZone: zone } : kind === 'every' ? { everyMs: everyMs(Number(count), unit) } : { at: new Date(at).toISOString() };
  return { kind, setKind, cron, setCron, zone, setZone, count, setCount, unit, setUnit, at, setAt, value };
}

function TimingFields({ timing }: { readonly timing: Timing }) {
  const { t } = useTranslation();
  const { kind } = timing;
  return (
    <>
      <div>
        <Choice
          label={t('automation.schedule.when')}
          value={kind}
          options={TIMINGS.map((value) => ({ value, label: t(`automation.timing.${value}`) }))}
          onChange={timing.setKind}
        />
      </div>
      {kind === 'cron' && (
        <div className="fields">
          <TextField label={t('automation.cron')} hint={t('automation.cronHint')} mono value={timing.cron} onChange={timing.setCron} />
          <TimeZoneField label={t('reach.zone')} value={timing.zone} onChange={timing.setZone} />
        </div>
      )}
      {kind === 'every' && (
        <div className="fields">
          <TextField label={t('automation.count')} type="number" value={timing.count} onChange={timing.setCount} />
          <SelectField
            label={t('automation.unit')}
            value={timing.unit}
            options={EVERY_UNITS.map((value) => ({ value, label: t(`automation.units.${value}`) }))}
            onChange={timing.setUnit}
          />
        </div>
      )}
      {kind === 'at' && <TextField label={t('automation.at')} type="datetime-local" value={timing.at} onChange={timing.setAt} />}
    </>
  );
}
