import type { routingContracts as routing, ResponseOf } from '@plexus/contracts';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { useApi } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { Icon } from '../ui/icons.js';
import { Badge, Card, Empty, ErrorNote, Field, PageHead } from '../ui/parts.js';

type Answer = ResponseOf<typeof routing.explainRoute>;
const KINDS = ['dm', 'group', 'channel'] as const;
const CHANNELS = ['webchat', 'telegram', 'slack', 'discord', 'whatsapp', 'signal', 'msteams', 'matrix', 'mattermost', 'webhook'] as const;
const MORE = ['accountId', 'guildId', 'teamId', 'roles', 'parentId'] as const;

/** Where a message would go, tier by tier, without sending one. */
export default function RoutingPage() {
  const { t } = useTranslation();
  const api = useApi();
  const [channel, setChannel] = useState('telegram');
  const [kind, setKind] = useState<(typeof KINDS)[number]>('dm');
  const [peer, setPeer] = useState('42');
  const [more, setMore] = useState<Record<string, string>>({});
  const explain = useAction(() => api.post<Answer>('/v1/routes/explain', questionOf(channel, kind, peer, more)));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void explain.run();
  };
  return (
    <>
      <PageHead title={t('routing.title')} text={t('routing.text')} />
      <div className="split">
        <Card title={t('routing.message')}>
          <form className="stack" onSubmit={submit}>
            <Field label={t('routing.channel')}>
              {(control) => (
                <>
                  <input {...control} className="input" list="channels" required value={channel} onChange={({ target }) => setChannel(target.value)} />
                  <datalist id="channels">
                    {CHANNELS.map((name) => (
                      <option key={name} value={name} />
                    ))}
                  </datalist>
                </>
              )}
            </Field>
            <Field label={t('routing.kind')}>
              {(control) => (
                <select {...control} className="input" value={kind} onChange={({ target }) => setKind(target.value as typeof kind)}>
                  {KINDS.map((value) => (
                    <option key={value} value={value}>
                      {t(`routing.kinds.${value}`)}
                    </option>
                  ))}
                </select>
              )}
            </Field>
            <Field label={t('routing.peer')} hint={t('routing.peerHint')}>
              {(control) => <input {...control} className="input mono" value={peer} onChange={({ target }) => setPeer(target.value)} />}
            </Field>
            <details className="details">
              <summary>{t('routing.more')}</summary>
              <div className="stack">
                {MORE.map((name) => (
                  <Field key={name} label={t(`routing.${name}`)}>
                    {(control) => (
                      <input
                        {...control}
                        className="input mono"
                        value={more[name] ?? ''}
                        onChange={({ target }) => setMore((before) => ({ ...before, [name]: target.value }))}
                      />
                    )}
                  </Field>
                ))}
              </div>
            </details>
            <div>
              <button type="submit" className="button primary" disabled={explain.busy}>
                <Icon name="route" />
                {t('routing.try')}
              </button>
            </div>
          </form>
        </Card>
        <div className="stack">
          <ErrorNote error={explain.error} />
          {explain.result === undefined ? explain.error === undefined && <NoAnswer /> : <Route answer={explain.result} />}
        </div>
      </div>
    </>
  );
}

function questionOf(channel: string, kind: string, peer: string, more: Readonly<Record<string, string>>): unknown {
  const word = (name: string) => (more[name]?.trim() ? more[name].trim() : undefined);
  return {
    channel: channel.trim(),
    accountId: word('accountId'),
    guildId: word('guildId'),
    teamId: word('teamId'),
    ...(peer.trim() === '' ? {} : { peer: { kind, id: peer.trim() } }),
    ...(word('parentId') === undefined ? {} : { parentPeer: { kind, id: word('parentId') } }),
    memberRoleIds: word('roles')?.split(/[\s,]+/),
  };
}

function NoAnswer() {
  const { t } = useTranslation();
  return (
    <Card>
      <Empty icon="route" title={t('routing.none')} text={t('routing.noneText')} />
    </Card>
  );
}

function Route({ answer: { route, tiers } }: { readonly answer: Answer }) {
  const { t } = useTranslation();
  const hit = tiers.findIndex(({ matched }) => matched);
  return (
    <>
      <Card title={t('routing.answer')} actions={<Badge tone="ok">{route.matchedBy}</Badge>}>
        <div className="stack" role="status">
          <p className="verdict">{t('routing.goes', { agent: route.agentId })}</p>
          <dl className="facts">
            <dt>{t('routing.session')}</dt>
            <dd className="mono">
              <Link to={`/sessions/${encodeURIComponent(route.sessionKey)}`}>{route.sessionKey}</Link>
            </dd>
            <dt>{t('routing.main')}</dt>
            <dd className="mono">{route.mainSessionKey}</dd>
            <dt>{t('routing.accountId')}</dt>
            <dd className="mono">
              {route.channel} · {route.accountId}
            </dd>
            {route.configRevision !== undefined && (
              <>
                <dt>{t('routing.revision')}</dt>
                <dd className="number">{route.configRevision}</dd>
              </>
            )}
          </dl>
        </div>
      </Card>
      <Card title={t('routing.tiers')}>
        <ol className="steps">
          {tiers.map(({ tier, matched, reason }, place) => (
            <li key={tier} className={`step${matched ? ' hit' : hit >= 0 && place > hit ? ' unreached' : ''}`}>
              <span className="mark">
                <Icon name={matched ? 'check' : 'minus'} />
              </span>
              <div>
                <h3>
                  <span className="mono">{tier}</span> {matched && <Badge tone="ok">{t('routing.matched')}</Badge>}
                </h3>
                <p className={matched ? '' : 'muted'}>{reason}</p>
              </div>
            </li>
          ))}
        </ol>
      </Card>
    </>
  );
}
