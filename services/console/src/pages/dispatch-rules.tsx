import type { pushTriggersContracts as triggers } from '@plexus/contracts';
import { useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useApi } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { useResource } from '../api/use-resource.js';
import { ActionForm, SelectField, TextField } from '../ui/form.js';
import { Badge, Busy, Card, Empty, ErrorNote, Field } from '../ui/parts.js';
import { RemoveButton } from '../ui/remove.js';
import { useToast } from '../ui/toasts.js';

type Rule = triggers.DispatchRule;
const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const;
/** What a message may refer to. */
const FIELDS = '{{summary}}, {{type}}, {{caseId}}, {{event}}';
const TELL = ['owner', 'followers'] as const;

/** On a matching event an agent looks into it first; then people are told. */
export function DispatchRules() {
  const { t } = useTranslation();
  const api = useApi();
  const list = useResource(useCallback((signal: AbortSignal) => api.get<{ rules: Rule[] }>('/v1/dispatch-rules', undefined, signal), [api]));
  const rules = list.data?.rules ?? [];
  return (
    <div className="split wide-left">
      <Card title={t('automation.rule.title')} flush>
        <ErrorNote error={list.error} retry={list.reload} />
        {list.loading && <Busy />}
        {list.data !== undefined && rules.length === 0 && <Empty icon="route" title={t('automation.rule.none')} text={t('automation.rule.noneText')} />}
        <ul>
          {rules.map((one) => (
            <Entry key={one.id} rule={one} onChanged={list.reload} />
          ))}
        </ul>
      </Card>
      <Add onDone={list.reload} />
    </div>
  );
}

function Entry({ rule, onChanged }: { readonly rule: Rule; readonly onChanged: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const { id, name, owner, match, research, notify, maxPerHour, enabled, refused } = rule;
  const turn = useAction(async (on: boolean) => {
    await api.post('/v1/dispatch-rules', { id, name, owner, match, research, notify, maxPerHour, enabled: on });
    onChanged();
  });
  const remove = async () => {
    await api.delete(`/v1/dispatch-rules/${encodeURIComponent(id)}`);
    onChanged();
  };
  const told = typeof notify.to === 'string' ? t(`automation.rule.tell.${notify.to}`) : notify.to.join(', ');
  return (
    <li className="entry">
      <div className="row spread">
        <span>
          <strong>{name}</strong> <code>{match.types.length === 0 ? t('automation.rule.everyType') : match.types.join(', ')}</code>
        </span>
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
      </div>
      <p className="clip">{research.message}</p>
      <div className="row spread">
        <span className="small muted">
          {t('automation.rule.facts', { severity: t(`severity.${match.minSeverity}`), told, count: maxPerHour })}
          {refused > 0 && (
            <>
              {' '}
              <Badge tone="warn">{t('automation.rule.refused', { count: refused })}</Badge>
            </>
          )}
        </span>
        <RemoveButton name={name} text={t('automation.rule.removeText')} onRemove={remove} />
      </div>
      <ErrorNote error={turn.error} />
    </li>
  );
}

function Add({ onDone }: { readonly onDone: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const say = useToast();
  const [name, setName] = useState('');
  const [types, setTypes] = useState('');
  const [minSeverity, setSeverity] = useState<(typeof SEVERITIES)[number]>('low');
  const [message, setMessage] = useState('');
  const [to, setTo] = useState<(typeof TELL)[number]>('owner');
  const add = useAction(async () => {
    const patterns = types.split(/[\s,]+/).filter((pattern) => pattern !== '');
    await api.post('/v1/dispatch-rules', { name: name.trim(), match: { types: patterns, minSeverity }, research: { message: message.trim() }, notify: { to } });
    say(t('automation.rule.added'));
    setName('');
    setTypes('');
    setMessage('');
    onDone();
  });
  return (
    <Card title={t('automation.rule.add')}>
      <ActionForm action={add} label={t('automation.rule.action')}>
        <TextField label={t('automation.name')} value={name} onChange={setName} />
        <div className="fields">
          <TextField label={t('subscriptions.patterns')} hint={t('subscriptions.patternsHint')} mono optional value={types} onChange={setTypes} />
          <SelectField
            label={t('subscriptions.from')}
            value={minSeverity}
            options={SEVERITIES.map((value) => ({ value, label: t(`severity.${value}`) }))}
            onChange={setSeverity}
          />
        </div>
        <Field label={t('automation.rule.message')} hint={t('automation.rule.messageHint', { fields: FIELDS })}>
          {(control) => <textarea {...control} className="input" rows={3} required value={message} onChange={({ target }) => setMessage(target.value)} />}
        </Field>
        <SelectField
          label={t('automation.rule.to')}
          value={to}
          options={TELL.map((value) => ({ value, label: t(`automation.rule.tell.${value}`) }))}
          onChange={setTo}
        />
      </ActionForm>
    </Card>
  );
}
