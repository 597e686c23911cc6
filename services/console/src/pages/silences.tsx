import type { pushManageContracts as manage } from '@plexus/contracts';
import { useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useApi } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { useResource } from '../api/use-resource.js';
import { matcherText } from '../model/reach.js';
import { ActionForm, CancelButton, ChangeButton, SelectField, TextField, useChanging } from '../ui/form.js';
import { Badge, Busy, Card, Choice, Empty, ErrorNote, When } from '../ui/parts.js';
import { useToast } from '../ui/toasts.js';

type Silence = manage.Silence;
type Whose = Silence['for'];
type Matcher = Silence['matchers'][number];
const LABELS = ['case', 'type', 'topic', 'entity', 'region', 'source', 'severity'] as const;
const OPERATORS = ['=', '!=', '~'] as const;
const ONE: Matcher = { label: 'case', op: '=', value: '' };
const HOURS = ['1', '4', '24', '168'] as const;

/** What does not interrupt for a while. */
export function Silences() {
  const { t } = useTranslation();
  const api = useApi();
  const [whose, setWhose] = useState<Whose>('me');
  const list = useResource(
    useCallback((signal: AbortSignal) => api.get<{ silences: Silence[] }>('/v1/silences', { for: whose, expired: true }, signal), [api, whose]),
  );
  const { changing, change, end, place } = useChanging<Silence>();
  const silences = list.data?.silences ?? [];
  const done = () => {
    end();
    list.reload();
  };
  return (
    <div className="stack">
      <Card
        title={t('reach.silence.title')}
        flush
        actions={
          <Choice
            label={t('reach.silence.whose')}
            value={whose}
            options={(['me', 'tenant'] as const).map((value) => ({ value, label: t(`reach.silence.for.${value}`) }))}
            onChange={(next) => {
              end();
              setWhose(next);
            }}
          />
        }
      >
        <ErrorNote error={list.error} retry={list.reload} />
        {list.loading && <Busy />}
        {list.data !== undefined && silences.length === 0 && <Empty icon="quiet" title={t('reach.silence.none')} text={t('reach.silence.noneText')} />}
        {silences.length > 0 && (
          <div className="scroll-x">
            <table className="plain">
              <thead>
                <tr>
                  {(['what', 'reason', 'until', 'actions'] as const).map((name) => (
                    <th key={name} scope="col">
                      {t(`reach.silence.column.${name}`)}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {silences.map((one) => (
                  <Row key={one.id} silence={one} onChanged={list.reload} onChange={() => change(one)} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Card>
      <div ref={place}>
        <SilenceForm key={changing?.id ?? whose} whose={whose} of={changing} onDone={done} {...(changing !== undefined && { onCancel: end })} />
      </div>
    </div>
  );
}

function Row({
  silence: { id, matchers, reason, to, state, createdBy },
  onChanged,
  onChange,
}: {
  readonly silence: Silence;
  readonly onChanged: () => void;
  readonly onChange: () => void;
}) {
  const { t } = useTranslation();
  const api = useApi();
  const what = matchers.map(matcherText).join(', ');
  const end = useAction(async () => {
    await api.post(`/v1/silences/${encodeURIComponent(id)}/expire`);
    onChanged();
  });
  return (
    <tr>
      <th scope="row" className="mono">
        {what}
      </th>
      <td>
        {reason}
        <div className="muted small">{createdBy}</div>
      </td>
      <td>
        <Badge dot tone={state === 'active' ? 'warn' : 'plain'}>
          {t(`reach.silence.state.${state}`)}
        </Badge>{' '}
        <When at={to} ago />
      </td>
      <td>
        {state !== 'expired' && (
          <div className="row">
            <ChangeButton name={what} onChange={onChange} />
            <button
              type="button"
              className="button small"
              disabled={end.busy}
              onClick={() => void end.run()}
              aria-label={t('reach.silence.endOne', { name: what })}
            >
              {t('reach.silence.end')}
            </button>
          </div>
        )}
        <ErrorNote error={end.error} />
      </td>
    </tr>
  );
}

interface Condition extends Matcher {
  /** Of the row, while the form is open. */
  readonly key: string;
}

const conditionOf = (matcher: Matcher): Condition => ({ ...matcher, key: crypto.randomUUID() });

/** A silence: a new one, or one that takes the place of one that is there. What was kept quiet stays explained by the one that did it. */
function SilenceForm({
  whose,
  of,
  onDone,
  onCancel,
}: {
  readonly whose: Whose;
  readonly of?: Silence | undefined;
  readonly onDone: () => void;
  readonly onCancel?: () => void;
}) {
  const { t } = useTranslation();
  const api = useApi();
  const say = useToast();
  const [conditions, setConditions] = useState(() => (of?.matchers ?? [ONE]).map(conditionOf));
  const [hours, setHours] = useState<(typeof HOURS)[number] | 'same'>(of === undefined ? '1' : 'same');
  const [reason, setReason] = useState(of?.reason ?? '');
  const [critical, setCritical] = useState(of?.includeCritical ?? false);
  const change = (key: string, part: Partial<Matcher>) => setConditions((before) => before.map((one) => (one.key === key ? { ...one, ...part } : one)));
  const save = useAction(async () => {
    const matchers = conditions.map(({ label, op, value }) => ({ label, op, value: value.trim() }));
    const until = hours === 'same' ? { to: of?.to } : { seconds: Number(hours) * 3_600 };
    const begins = of?.state === 'pending' && { from: of.from };
    await api.post('/v1/silences', { for: whose, matchers, ...begins, ...until, reason: reason.trim(), includeCritical: critical });
    // In this order there is no moment in which neither holds.
    if (of !== undefined) await api.post(`/v1/silences/${encodeURIComponent(of.id)}/expire`);
    say(t(of === undefined ? 'reach.silence.added' : 'reach.silence.changed'));
    setConditions([conditionOf(ONE)]);
    setReason('');
    onDone();
  });
  return (
    <Card title={of === undefined ? t(`reach.silence.add.${whose}`) : t('form.changeOne', { name: of.matchers.map(matcherText).join(', ') })}>
      <ActionForm
        action={save}
        label={t(of === undefined ? 'reach.silence.action' : 'form.save')}
        extra={onCancel !== undefined && <CancelButton onCancel={onCancel} />}
      >
        {conditions.length > 1 && <p className="small muted">{t('reach.silence.all')}</p>}
        {conditions.map(({ key, label, op, value }, index) => (
          <div className="fields" key={key}>
            <SelectField
              label={t('reach.silence.label')}
              value={label}
              options={labelsWith(label).map((one) => ({ value: one, label: t(`reach.silence.labels.${one}`, { defaultValue: one }) }))}
              onChange={(next) => change(key, { label: next })}
            />
            <SelectField
              label={t('reach.silence.op')}
              value={op}
              options={OPERATORS.map((one) => ({ value: one, label: t(`reach.silence.ops.${one === '=' ? 'is' : one === '~' ? 'like' : 'not'}`) }))}
              onChange={(next) => change(key, { op: next })}
            />
            <TextField
              label={t('reach.silence.value')}
              mono
              value={value}
              placeholder={label === 'case' ? 'case-7' : ''}
              onChange={(next) => change(key, { value: next })}
            />
            {conditions.length > 1 && (
              <button
                type="button"
                className="button small"
                aria-label={t('reach.silence.without', { number: index + 1 })}
                onClick={() => setConditions((before) => before.filter((one) => one.key !== key))}
              >
                {t('form.remove')}
              </button>
            )}
          </div>
        ))}
        <div className="row">
          <button type="button" className="button small" onClick={() => setConditions((before) => [...before, conditionOf(ONE)])}>
            {t('reach.silence.and')}
          </button>
        </div>
        <SelectField
          label={t('reach.silence.long')}
          value={hours}
          options={[...(of === undefined ? [] : (['same'] as const)), ...HOURS].map((one) => ({ value: one, label: t(`reach.silence.hours.${one}`) }))}
          onChange={setHours}
        />
        <TextField label={t('reach.silence.reason')} hint={t('reach.silence.reasonHint')} value={reason} onChange={setReason} />
        <label className="check">
          <input type="checkbox" checked={critical} onChange={({ target }) => setCritical(target.checked)} />
          {t('reach.silence.critical')}
        </label>
      </ActionForm>
    </Card>
  );
}

/** Those that are asked for, and the one that a silence has already. */
const labelsWith = (label: string): readonly string[] => (LABELS.some((one) => one === label) ? LABELS : [...LABELS, label]);
