import type { pushTriggersContracts as triggers } from '@plexus/contracts';
import { useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useApi } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { useResource } from '../api/use-resource.js';
import { type RuleDraft, ruleDraft, rulePath, ruleWith } from '../model/reach.js';
import { ActionForm, CancelButton, ChangeButton, SelectField, TextField, useChanging } from '../ui/form.js';
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
  const { changing, change, end, place } = useChanging<Rule>();
  const rules = list.data?.rules ?? [];
  const done = () => {
    end();
    list.reload();
  };
  return (
    <div className="split wide-left">
      <Card title={t('automation.rule.title')} flush>
        <ErrorNote error={list.error} retry={list.reload} />
        {list.loading && <Busy />}
        {list.data !== undefined && rules.length === 0 && <Empty icon="route" title={t('automation.rule.none')} text={t('automation.rule.noneText')} />}
        <ul>
          {rules.map((one) => (
            <Entry key={one.id} rule={one} onChanged={list.reload} onChange={() => change(one)} />
          ))}
        </ul>
      </Card>
      <div ref={place}>
        <RuleForm key={changing?.id ?? ''} of={changing} onDone={done} {...(changing !== undefined && { onCancel: end })} />
      </div>
    </div>
  );
}

function Entry({ rule, onChanged, onChange }: { readonly rule: Rule; readonly onChanged: () => void; readonly onChange: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const { id, name, match, research, notify, maxPerHour, enabled, refused } = rule;
  const turn = useAction(async (on: boolean) => {
    await api.patch(rulePath(id), { enabled: on });
    onChanged();
  });
  const remove = async () => {
    await api.delete(rulePath(id));
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
        <span className="row">
          <ChangeButton name={name} onChange={onChange} />
          <RemoveButton name={name} text={t('automation.rule.removeText')} onRemove={remove} />
        </span>
      </div>
      <ErrorNote error={turn.error} />
    </li>
  );
}

/** A rule: a new one, or one that is there. */
function RuleForm({ of, onDone, onCancel }: { readonly of?: Rule | undefined; readonly onDone: () => void; readonly onCancel?: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const say = useToast();
  const [draft, setDraft] = useState(() => ruleDraft(of));
  const change = (part: Partial<RuleDraft>) => setDraft((before) => ({ ...before, ...part }));
  const save = useAction(async () => {
    const said = ruleWith(of, draft);
    await (of === undefined ? api.post('/v1/dispatch-rules', said) : api.patch(rulePath(of.id), said));
    say(t(of === undefined ? 'automation.rule.added' : 'automation.rule.changed'));
    setDraft(ruleDraft(undefined));
    onDone();
  });
  const named = of === undefined || typeof of.notify.to === 'string' ? undefined : of.notify.to.join(', ');
  return (
    <Card title={of === undefined ? t('automation.rule.add') : t('form.changeOne', { name: of.name })}>
      <ActionForm
        action={save}
        label={t(of === undefined ? 'automation.rule.action' : 'form.save')}
        extra={onCancel !== undefined && <CancelButton onCancel={onCancel} />}
      >
        <TextField label={t('automation.name')} value={draft.name} onChange={(name) => change({ name })} />
        <div className="fields">
          <TextField
            label={t('subscriptions.patterns')}
            hint={t('subscriptions.patternsHint')}
            mono
            optional
            value={draft.types}
            onChange={(types) => change({ types })}
          />
          <SelectField
            label={t('subscriptions.from')}
            value={draft.minSeverity}
            options={SEVERITIES.map((value) => ({ value, label: t(`severity.${value}`) }))}
            onChange={(minSeverity) => change({ minSeverity })}
          />
        </div>
        <Field label={t('automation.rule.message')} hint={t('automation.rule.messageHint', { fields: FIELDS })}>
          {(control) => (
            <textarea {...control} className="input" rows={3} required value={draft.message} onChange={({ target }) => change({ message: target.value })} />
          )}
        </Field>
        <div className="fields">
          <SelectField<RuleDraft['to']>
            label={t('automation.rule.to')}
            value={draft.to}
            options={[
              ...TELL.map((value) => ({ value, label: t(`automation.rule.tell.${value}`) })),
              ...(named === undefined ? [] : [{ value: 'these' as const, label: named }]),
            ]}
            onChange={(to) => change({ to })}
          />
          <TextField
            label={t('automation.rule.most')}
            type="number"
            value={String(draft.maxPerHour)}
            onChange={(most) => change({ maxPerHour: Number(most) })}
          />
        </div>
      </ActionForm>
    </Card>
  );
}
