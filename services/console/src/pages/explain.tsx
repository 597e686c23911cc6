import type { pushPolicyContracts as policy, ResponseOf } from '@plexus/contracts';
import { type FormEvent, useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useSearchParams } from 'react-router';
import { useApi } from '../api/session.js';
import { useResource } from '../api/use-resource.js';
import { useInbox } from '../app/inbox-state.js';
import { withTimes } from '../model/format.js';
import { toneOfOutcome } from '../model/decision-track.js';
import { Icon } from '../ui/icons.js';
import { Badge, Busy, Card, Empty, ErrorNote, Field, Notice, PageHead, When } from '../ui/parts.js';
import { DecisionTrack } from './decision-track.js';

type Explanation = ResponseOf<typeof policy.explain>;

/** Why an event was sent, or was not. */
export default function ExplainPage() {
  const { t } = useTranslation();
  const [params, setParams] = useSearchParams();
  const event = params.get('event') ?? '';
  return (
    <>
      <PageHead title={t('explain.title')} text={t('explain.text')} />
      <Question key={params.toString()} params={params} onAsk={setParams} />
      {event === '' ? <Recent /> : <Answer params={params} />}
    </>
  );
}

const FIELDS = ['event', 'source', 'user'] as const;

function Question({ params, onAsk }: { readonly params: URLSearchParams; readonly onAsk: (params: Record<string, string>) => void }) {
  const { t } = useTranslation();
  const [values, setValues] = useState<Record<string, string>>(() => Object.fromEntries(FIELDS.map((name) => [name, params.get(name) ?? ''])));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onAsk(Object.fromEntries(Object.entries(values).filter(([, value]) => value.trim() !== '')));
  };
  return (
    <Card>
      <form className="stack" onSubmit={submit}>
        <div className="fields">
          {FIELDS.map((name) => (
            <Field key={name} label={t(`explain.field.${name}`)} hint={t(`explain.hint.${name}`)}>
              {(control) => (
                <input
                  {...control}
                  className="input mono"
                  required={name === 'event'}
                  value={values[name] ?? ''}
                  onChange={({ target }) => setValues((before) => ({ ...before, [name]: target.value }))}
                />
              )}
            </Field>
          ))}
        </div>
        <div>
          <button type="submit" className="button primary">
            <Icon name="why" />
            {t('explain.ask')}
          </button>
        </div>
      </form>
    </Card>
  );
}

/** Without a question: events of the inbox to choose from. */
function Recent() {
  const { t } = useTranslation();
  const { page } = useInbox();
  const events = (page.data?.items ?? [])
    .flatMap(({ title, events, createdAt }) => events.slice(0, 1).map((event) => ({ ...event, title, createdAt })))
    .slice(0, 12);
  return (
    <Card title={t('explain.recent')} flush>
      {events.length === 0 ? (
        <Empty icon="why" title={t('explain.none')} text={t('explain.noneText')}>
          <Link className="button primary" to="/publish">
            {t('mesh.publish')}
          </Link>
        </Empty>
      ) : (
        <table className="plain">
          <thead>
            <tr>
              {(['title', 'type', 'id', 'at'] as const).map((name) => (
                <th key={name} scope="col">
                  {t(`explain.column.${name}`)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {events.map(({ id, source, title, type, createdAt }) => (
              <tr key={`${source} ${id}`}>
                <th scope="row">
                  <Link to={`/explain?${new URLSearchParams({ event: id, source })}`}>{title}</Link>
                </th>
                <td className="mono">{type}</td>
                <td className="mono">{id}</td>
                <td>
                  <When at={createdAt} ago />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Card>
  );
}

function Answer({ params }: { readonly params: URLSearchParams }) {
  const { t, i18n } = useTranslation();
  const api = useApi();
  const query = params.toString();
  const answer = useResource(useCallback((signal: AbortSignal) => api.get<Explanation>(`/v1/push/explain?${query}`, undefined, signal), [api, query]));
  const { data } = answer;
  if (answer.error !== undefined) return <ErrorNote error={answer.error} retry={answer.reload} />;
  if (data === undefined) return <Busy text={t('explain.looking')} />;
  return (
    <>
      <Card
        title={t('explain.answer')}
        actions={
          <button type="button" className="button small" onClick={answer.reload}>
            <Icon name="refresh" />
            {t('explain.again')}
          </button>
        }
      >
        <div className="stack">
          <div className="verdict" role="status">
            <Badge tone={toneOfOutcome(data.outcome)} dot>
              {t(`explain.outcome.${data.outcome}`)}
            </Badge>
            <span>{withTimes(data.sentence, i18n.language)}</span>
          </div>
          {data.event !== undefined && (
            <dl className="facts">
              <dt>{t('explain.event')}</dt>
              <dd className="mono">{data.event.type}</dd>
              <dt>{t('explain.column.id')}</dt>
              <dd className="mono">
                {data.event.source} · {data.event.id}
              </dd>
              {data.event.severity !== undefined && (
                <>
                  <dt>{t('publish.severity')}</dt>
                  <dd>{t(`severity.${data.event.severity as 'low'}`, { defaultValue: data.event.severity })}</dd>
                </>
              )}
              <dt>{t('explain.for')}</dt>
              <dd>{data.user}</dd>
            </dl>
          )}
          {data.toBeSent !== undefined && (
            <Notice tone="info" title={t('explain.change')}>
              {withTimes(data.toBeSent.sentence, i18n.language)}
            </Notice>
          )}
          {data.others > 0 && <p className="muted">{t('explain.others', { count: data.others })}</p>}
        </div>
      </Card>
      {data.decisions.map((decision, index) => (
        <Card
          key={index}
          title={t('explain.decision', { number: index + 1 })}
          actions={
            <span className="row small muted">
              <Badge tone={toneOfOutcome(decision.verdict)}>
                {t(`explain.reason.${decision.reason.split(':')[0] as 'sent'}`, { defaultValue: decision.reason })}
              </Badge>
              <span>{t('explain.policyVersion', { version: decision.policyVersion })}</span>
              <When at={decision.at} />
            </span>
          }
        >
          <DecisionTrack decision={decision} />
        </Card>
      ))}
      {data.decisions.length === 0 && data.subscriptions.length > 0 && (
        <Card title={t('explain.subscriptions')} flush>
          <table className="plain">
            <thead>
              <tr>
                <th scope="col">{t('subscriptions.column.follows')}</th>
                <th scope="col">{t('explain.covers')}</th>
                <th scope="col">{t('explain.why')}</th>
              </tr>
            </thead>
            <tbody>
              {data.subscriptions.map((one) => (
                <tr key={one.subscriptionId}>
                  <th scope="row">
                    {t(`subscriptions.scope.${one.scopeKind as 'case'}`, { defaultValue: one.scopeKind })} {one.scopeRef}
                  </th>
                  <td>
                    <Badge tone={one.covers ? 'ok' : 'plain'}>{t(one.covers ? 'yes' : 'no')}</Badge>
                  </td>
                  <td>{one.why}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Card>
      )}
      {data.outcome === 'no_subscription' && (
        <p>
          <Link className="button" to="/subscriptions">
            {t('inbox.follow')}
          </Link>
        </p>
      )}
    </>
  );
}
