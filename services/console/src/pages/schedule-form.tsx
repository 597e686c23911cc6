import type { pushTriggersContracts as triggers } from '@plexus/contracts';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useApi } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import {
  actionText,
  actionWith,
  EVERY_UNITS,
  type EveryUnit,
  everyMs,
  everyOf,
  localMinute,
  schedulePath,
  TIMINGS,
  type TimingKind,
  timingKindOf,
} from '../model/reach.js';
import { ActionForm, CancelButton, ownTimeZone, SelectField, TextField, TimeZoneField } from '../ui/form.js';
import { Card, Choice, Field } from '../ui/parts.js';
import { useToast } from '../ui/toasts.js';

type Schedule = triggers.Schedule;
const ACTIONS = ['notify', 'agent', 'event'] as const;

/** A schedule of one's own, when and what: a new one, or one that is there. */
export function ScheduleForm({ of, onDone, onCancel }: { readonly of?: Schedule | undefined; readonly onDone: () => void; readonly onCancel?: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const say = useToast();
  const [name, setName] = useState(of?.name ?? '');
  const [kind, setKind] = useState<(typeof ACTIONS)[number]>(of?.action.kind ?? 'notify');
  const [text, setText] = useState(of === undefined ? '' : actionText(of.action));
  const timing = useTiming(of);
  const save = useAction(async () => {
    const action = actionWith(of?.action, kind, text.trim());
    const path = of === undefined ? '/v1/schedules' : schedulePath(of.id);
    // A timing that stays as it was goes on counting as it did.
    const when = of !== undefined && !timing.changed ? {} : timing.value();
    const fields = { name: name.trim(), ...when, action };
    await (of === undefined ? api.post(path, fields) : api.patch(path, fields));
    say(t(of === undefined ? 'automation.schedule.added' : 'automation.schedule.changed'));
    setName('');
    setText('');
    onDone();
  });
  return (
    <Card title={of === undefined ? t('automation.schedule.add') : t('form.changeOne', { name: of.name })}>
      <ActionForm
        action={save}
        label={t(of === undefined ? 'automation.schedule.action' : 'form.save')}
        extra={onCancel !== undefined && <CancelButton onCancel={onCancel} />}
      >
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
function useTiming(of: Schedule | undefined) {
  const [kind, setKind] = useState<TimingKind>(of === undefined ? 'cron' : timingKindOf(of));
  const [cron, setCron] = useState(of?.cron ?? '0 9 * * 1-5');
  const [zone, setZone] = useState(of?.cron === undefined ? ownTimeZone() : of.timeZone);
  const was = of?.everyMs === undefined ? undefined : everyOf(of.everyMs);
  const [count, setCount] = useState(String(was?.count ?? 1));
  const [unit, setUnit] = useState<EveryUnit>(was?.unit ?? 'hour');
  const [at, setAt] = useState(of?.at === undefined ? '' : localMinute(of.at));
  const said = [kind, cron.trim(), zone, count, unit, at].join(' ');
  const [first] = useState(said);
  const value = () =>
    kind === 'cron' ? { cron: cron.trim(), timeZone: zone } : kind === 'every' ? { everyMs: everyMs(Number(count), unit) } : { at: new Date(at).toISOString() };
  return { kind, setKind, cron, setCron, zone, setZone, count, setCount, unit, setUnit, at, setAt, value, changed: said !== first };
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
