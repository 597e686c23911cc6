import type { pushContracts as push } from '@plexus/contracts';
import { type FormEvent, useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useApi } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { useResource } from '../api/use-resource.js';
import { Badge, Busy, Card, Empty, ErrorNote, Field, PageHead } from '../ui/parts.js';
import { RemoveButton } from '../ui/remove.js';
import { useToast } from '../ui/toasts.js';

type Subscription = push.Subscription;
const SCOPES = ['all', 'case', 'entity', 'region', 'topic', 'type'] as const;
const LEVELS = ['all', 'digest', 'critical_only', 'muted'] as const;
const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const;

/** What I follow, and how loud it may be. */
export default function SubscriptionsPage() {
  const { t } = useTranslation();
  const api = useApi();
  const list = useResource(useCallback((signal: AbortSignal) => api.get<{ subscriptions: Subscription[] }>('/v1/subscriptions', undefined, signal), [api]));
  const { reload } = list;
  return (
    <>
      <PageHead title={t('subscriptions.title')} text={t('subscriptions.text')} />
      <div className="split wide-left">
        <Card title={t('subscriptions.mine')} flush>
          <ErrorNote error={list.error} retry={reload} />
          {list.loading && <Busy />}
          {list.data !== undefined &&
            (list.data.subscriptions.length === 0 ? (
              <Empty icon="bell" title={t('subscriptions.none')} text={t('subscriptions.noneText')} command="npx plexus push subscribe all" />
            ) : (
              <div className="scroll-x">
                <table className="plain">
                  <thead>
                    <tr>
                      {(['follows', 'from', 'level', 'actions'] as const).map((name) => (
                        <th key={name} scope="col">
                          {t(`subscriptions.column.${name}`)}
                        </th>
                      ))}
                    </tr>
                  </thead>
                  <tbody>
                    {list.data.subscriptions.map((one) => (
                      <Row key={one.id} subscription={one} onChanged={reload} />
                    ))}
                  </tbody>
                </table>
              </div>
            ))}
        </Card>
        <Follow onDone={reload} />
      </div>
    </>
  );
}

function Row({ subscription, onChanged }: { readonly subscription: Subscription; readonly onChanged: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const path = `/v1/subscriptions/${encodeURIComponent(subscription.id)}`;
  const name = nameOf(subscription, t('subscriptions.everything'), (kind) => t(`subscriptions.scope.${kind as 'case'}`));
  const level = useAction(async (next: string) => {
    await api.patch(path, { level: next });
    onChanged();
  });
  const remove = async () => {
    await api.delete(path);
    onChanged();
  };
  return (
    <tr>
      <th scope="row">
        {name}
        {subscription.interestText !== undefined && <div className="muted small">“{subscription.interestText}”</div>}
        {subscription.typePatterns.length > 0 && <div className="mono muted">{subscription.typePatterns.join(', ')}</div>}
      </th>
      <td>
        <Badge>{t(`severity.${subscription.minSeverity}`)}</Badge>
      </td>
      <td>
        <select
          className="input"
          aria-label={t('subscriptions.levelOf', { name })}
          value={subscription.level}
          disabled={level.busy}
          onChange={({ target }) => void level.run(target.value)}
        >
          {LEVELS.map((value) => (
            <option key={value} value={value}>
              {t(`subscriptions.level.${value}`)}
            </option>
          ))}
        </select>
        <ErrorNote error={level.error} />
      </td>
      <td>
        <RemoveButton
          name={name}
          text={t('subscriptions.removeText')}
          words={{ action: t('subscriptions.remove'), title: t('subscriptions.removeOne', { name }) }}
          onRemove={remove}
        />
      </td>
    </tr>
  );
}

function nameOf({ scopeKind, scopeRef, name }: Subscription, everything: string, kindName: (kind: string) => string): string {
  const base = scopeKind === 'all' ? everything : `${kindName(scopeKind)} ${scopeRef}`;
  return name === undefined || name === '' ? base : `${base} · ${name}`;
}

function Follow({ onDone }: { readonly onDone: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const say = useToast();
  const [kind, setKind] = useState<(typeof SCOPES)[number]>('all');
  const [ref, setRef] = useState('');
  const [severity, setSeverity] = useState<(typeof SEVERITIES)[number]>('low');
  const [patterns, setPatterns] = useState('');
  const [interest, setInterest] = useState('');
  const follow = useAction(async () => {
    const typePatterns = patterns.split(/[\s,]+/).filter((pattern) => pattern !== '');
    const interestText = interest.trim() === '' ? undefined : interest.trim();
    await api.post('/v1/subscriptions', { scopeKind: kind, scopeRef: kind === 'all' ? '' : ref.trim(), minSeverity: severity, typePatterns, interestText });
    say(t('subscriptions.followed'));
    setRef('');
    setInterest('');
    onDone();
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void follow.run();
  };
  return (
    <Card title={t('subscriptions.add')}>
      <form className="stack" onSubmit={submit}>
        <Field label={t('subscriptions.what')}>
          {(control) => (
            <select {...control} className="input" value={kind} onChange={({ target }) => setKind(target.value as typeof kind)}>
              {SCOPES.map((value) => (
                <option key={value} value={value}>
                  {value === 'all' ? t('subscriptions.everything') : t(`subscriptions.scope.${value}`)}
                </option>
              ))}
            </select>
          )}
        </Field>
        {kind !== 'all' && (
          <Field label={t('subscriptions.which')}>
            {(control) => <input {...control} className="input" required value={ref} onChange={({ target }) => setRef(target.value)} />}
          </Field>
        )}
        <Field label={t('subscriptions.from')}>
          {(control) => (
            <select {...control} className="input" value={severity} onChange={({ target }) => setSeverity(target.value as typeof severity)}>
              {SEVERITIES.map((value) => (
                <option key={value} value={value}>
                  {t(`severity.${value}`)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label={t('subscriptions.patterns')} hint={t('subscriptions.patternsHint')}>
          {(control) => <input {...control} className="input mono" value={patterns} onChange={({ target }) => setPatterns(target.value)} />}
        </Field>
        <Field label={t('subscriptions.interest')} hint={t('subscriptions.interestHint')}>
          {(control) => <textarea {...control} className="input" rows={2} value={interest} onChange={({ target }) => setInterest(target.value)} />}
        </Field>
        <ErrorNote error={follow.error} />
        <div>
          <button type="submit" className="button primary" disabled={follow.busy}>
            {t('subscriptions.follow')}
          </button>
        </div>
      </form>
    </Card>
  );
}
