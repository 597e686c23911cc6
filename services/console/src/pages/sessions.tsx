import type { routingContracts as routing } from '@plexus/contracts';
import { type FormEvent, useCallback, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate, useParams } from 'react-router';
import { useApi, useSession } from '../api/session.js';
import { useResource } from '../api/use-resource.js';
import { useWhoAmI } from '../api/whoami.js';
import { Icon } from '../ui/icons.js';
import { Badge, Busy, Card, Empty, ErrorNote, PageHead, When } from '../ui/parts.js';
import { Rows } from '../ui/rows.js';
import { Chat } from './chat.js';

type SessionSummary = routing.SessionSummary;
interface SessionPage {
  readonly sessions: readonly SessionSummary[];
  readonly totalCount: number;
  readonly hasMore: boolean;
}
const PAGE = 500;

/** Conversations: the list beside the one that is open. */
export default function SessionsPage() {
  const { t } = useTranslation();
  const api = useApi();
  const { client, connection } = useSession();
  const { key } = useParams();
  const navigate = useNavigate();
  const who = useWhoAmI();
  const [search, setSearch] = useState('');
  const list = useResource(useCallback((signal: AbortSignal) => api.get<SessionPage>('/v1/sessions', { limit: PAGE, search }, signal), [api, search]));
  const { reload } = list;
  const more = useMore(list.data, search);
  useEffect(() => {
    if (connection === 0) return undefined;
    // Refused to those who may not read: they see what they have asked for only.
    const subscribed = client.request('sessions.subscribe', {}).catch(() => undefined);
    // What happened before.
    void subscribed.then(reload);
    const stops = [client.on('sessions.changed', reload), client.on('session.message', reload)];
    return () => {
      for (const stop of stops) stop();
    };
  }, [client, connection, reload]);
  const goTo = (sessionKey: string) => void navigate(`/sessions/${encodeURIComponent(sessionKey)}`);
  const shown = key ?? who.data?.defaults.sessionKey;
  const sessions = [...(list.data?.sessions ?? []), ...more.sessions];
  const open = sessions.find(({ sessionKey }) => sessionKey === shown);
  return (
    <>
      <PageHead title={t('sessions.title')} text={t('sessions.text')} />
      <div className="split">
        <Card title={t('sessions.list')} flush actions={<span className="muted small">{list.data?.totalCount ?? ''}</span>}>
          <div className="card-body stack close">
            <NewSession onOpen={goTo} />
            <input
              className="input"
              type="search"
              aria-label={t('sessions.search')}
              placeholder={t('sessions.search')}
              value={search}
              onChange={({ target }) => setSearch(target.value)}
            />
            <ErrorNote error={list.error ?? more.error} retry={reload} />
          </div>
          {list.loading && <Busy />}
          {list.data !== undefined &&
            (sessions.length === 0 ? (
              <Empty icon="chat" title={t('sessions.none')} text={t('sessions.noneText')} />
            ) : (
              <Rows
                label={t('sessions.list')}
                items={sessions}
                keyOf={({ sessionId }) => sessionId}
                rowHeight={62}
                height="calc(100dvh - 340px)"
                selected={open?.sessionId}
                onSelect={({ sessionKey }) => goTo(sessionKey)}
                onEnd={more.load}
                render={(session) => <SessionRow session={session} />}
              />
            ))}
        </Card>
        {shown === undefined ? (
          who.error === undefined ? (
            <Busy />
          ) : (
            <ErrorNote error={who.error} />
          )
        ) : (
          <Chat key={shown} sessionKey={shown} activeRunId={open?.activeRunId} />
        )}
      </div>
    </>
  );
}

function SessionRow({ session }: { readonly session: SessionSummary }) {
  const { t } = useTranslation();
  const name = session.label ?? session.displayName ?? session.sessionKey;
  return (
    <div className="list-item">
      <div className="title">
        <span className="clip">{name}</span>
        <span className="muted small">
          <When at={session.updatedAt} ago />
        </span>
      </div>
      <div className="row tight small muted">
        <span className="clip mono">{name === session.sessionKey ? session.agentId : session.sessionKey}</span>
        {session.activeRunId !== undefined && (
          <Badge tone="accent" dot>
            {t('sessions.running')}
          </Badge>
        )}
      </div>
    </div>
  );
}

function NewSession({ onOpen }: { readonly onOpen: (key: string) => void }) {
  const { t } = useTranslation();
  const [name, setName] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() === '') return;
    onOpen(name.trim().includes(':') ? name.trim() : `agent:main:${name.trim().toLowerCase()}`);
    setName('');
  };
  return (
    <form className="row tight" onSubmit={submit}>
      <input
        className="input"
        aria-label={t('sessions.newName')}
        placeholder={t('sessions.newName')}
        value={name}
        onChange={({ target }) => setName(target.value)}
      />
      <button type="submit" className="button icon" aria-label={t('sessions.new')} title={t('sessions.new')} disabled={name.trim() === ''}>
        <Icon name="plus" />
      </button>
    </form>
  );
}

/** Pages behind the first one, loaded when the end of the list comes into sight. */
function useMore(first: SessionPage | undefined, search: string) {
  const api = useApi();
  const [state, setState] = useState<{ of: SessionPage | undefined; sessions: readonly SessionSummary[]; done: boolean; busy: boolean; error: unknown }>();
  const current = state?.of === first ? state : undefined;
  const load = useCallback(() => {
    if (first === undefined || !first.hasMore || current?.busy || current?.done || current?.error !== undefined) return;
    const before = current?.sessions ?? [];
    setState({ of: first, sessions: before, done: false, busy: true, error: undefined });
    api.get<SessionPage>('/v1/sessions', { limit: PAGE, offset: first.sessions.length + before.length, search }).then(
      (page) => setState({ of: first, sessions: [...before, ...page.sessions], done: !page.hasMore, busy: false, error: undefined }),
      (error: unknown) => setState({ of: first, sessions: before, done: false, busy: false, error }),
    );
  }, [api, first, search, current]);
  return { sessions: current?.sessions ?? [], error: current?.error, load };
}
