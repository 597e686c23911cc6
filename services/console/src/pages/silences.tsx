import type { pushManageContracts as manage } from '@plexus/contracts';
import { useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useApi } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { useResource } from '../api/use-resource.js';
import { matcherText } from '../model/reach.js';
import { ActionForm, SelectField, TextField } from '../ui/form.js';
import { Badge, Busy, Card, Choice, Empty, ErrorNote, When } from '../ui/parts.js';
import { useToast } from '../ui/toasts.js';

type Silence = manage.Silence;
type Whose = Silence['for'];
const LABELS = ['case', 'type', 'topic', 'entity', 'region', 'source', 'severity'] as const;
const OPERATORS = ['=', '!=', '~'] as const;
const HOURS = ['1', '4', '24', '168'] as const;

/** What does not interrupt for a while. */
export function Silences() {
  const { t } = useTranslation();
  const api = useApi();
  const [whose, setWhose] = useState<Whose>('me');
  const list = useResource(
    useCallback((signal: AbortSignal) => api.get<{ silences: Silence[] }>('/v1/silences', { for: whose, expired: true }, signal), [api, whose]),
  );
  const silences = list.data?.silences ?? [];
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
            onChange={setWhose}
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
                  <Row key={one.id} silence={one} onChanged={list.reload} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Card>
      <Add whose={whose} onDone={list.reload} />
    </div>
  );
}

function Row({ silence: { id, matchers, reason, to, state, createdBy }, onChanged }: { readonly silence: Silence; readonly onChanged: () => void }) {
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
          <button
            type="button"
            className="button small"
            disabled={end.busy}
            onClick={() => void end.run()}
            aria-label={t('reach.silence.endOne', { name: what })}
          >
            {t('reach.silence.end')}
          </button>
        )}
        <ErrorNote error={end.error} />
      </td>
    </tr>
  );
}

function Add({ whose, onDone }: { readonly whose: Whose; readonly onDone: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const say = useToast();
  const [label, setLabel] = useState<(typeof LABELS)[number]>('case');
  const [op, setOp] = useState<(typeof OPERATORS)[number]>('=');
  const [value, setValue] = useState('');
  const [hours, setHours] = useState<(typeof HOURS)[number]>('1');
  const [reason, setReason] = useState('');
  const [critical, setCritical] = useState(false);
  const add = useAction(async () => {
    const matchers = [{ label, op, value: value.trim() }];
    await api.post('/v1/silences', { for: whose, matchers, seconds: Number(hours) * 3_600, reason: reason.trim(), includeCritical: critical });
    say(t('reach.silence.added'));
    setValue('');
    setReason('');
    onDone();
  });
  return (
    <Card title={t(`reach.silence.add.${whose}`)}>
      <ActionForm action={add} label={t('reach.silence.action')}>
        <div className="fields">
          <SelectField
            label={t('reach.silence.label')}
            value={label}
            options={LABELS.map((one) => ({ value: one, label: t(`reach.silence.labels.${one}`) }))}
            onChange={setLabel}
          />
          <SelectField
            label={t('reach.silence.op')}
            value={op}
            options={OPERATORS.map((one) => ({ value: one, label: t(`reach.silence.ops.${one === '=' ? 'is' : one === '~' ? 'like' : 'not'}`) }))}
            onChange={setOp}
          />
          <TextField label={t('reach.silence.value')} mono value={value} placeholder={label === 'case' ? 'case-7' : ''} onChange={setValue} />
          <SelectField
            label={t('reach.silence.long')}
            value={hours}
            options={HOURS.map((one) => ({ value: one, label: t(`reach.silence.hours.${one}`) }))}
            onChange={setHours}
          />
        </div>
        <TextField label={t('reach.silence.reason')} hint={t('reach.silence.reasonHint')} value={reason} onChange={setReason} />
        <label className="check">
          <input type="checkbox" checked={critical} onChange={({ target }) => setCritical(target.checked)} />
          {t('reach.silence.critical')}
        </label>
      </ActionForm>
    </Card>
  );
}
