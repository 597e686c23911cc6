import { useCallback, useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { useApi } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { type InboxItem, type InboxPage as Page, useInbox } from '../app/inbox-state.js';
import { mergeItems } from '../model/inbox-list.js';
import { Badge, Busy, Card, Choice, Empty, ErrorNote, JsonDetails, PageHead, type Tone, When } from '../ui/parts.js';
import { Rows } from '../ui/rows.js';
import { useToast } from '../ui/toasts.js';

const TONES: Readonly<Record<string, Tone>> = { critical: 'bad', high: 'warn', medium: 'info', low: 'plain' };
const PAGE = 200;
/** The same from a terminal, in the folder of the repository. */
const FIRST_STEPS = 'npx plexus push subscribe case:case-7\nbash examples/01-publish/publish-plain.sh';
type Shown = 'all' | 'unread';

/** What reached me: newest first, live. */
export default function InboxPage() {
  const { t } = useTranslation();
  const { page, unread, arrived, mark } = useInbox();
  const [shown, setShown] = useState<Shown>('all');
  const [selectedId, setSelectedId] = useState<string>();
  const older = useOlder(page.data);
  const items = useMemo(() => mergeItems(page.data?.items ?? [], older.items), [page.data, older.items]);
  const visible = shown === 'all' ? items : items.filter(isUnread);
  const selected = items.find(({ id }) => id === selectedId);
  const open = (item: InboxItem) => {
    setSelectedId(item.id);
    // A mark that is lost is set again by the next look.
    if (isUnread(item)) void mark([item.id], 'read').catch(() => undefined);
  };
  const allRead = useAction(() =>
    mark(
      items
        .filter(isUnread)
        .slice(0, 500)
        .map(({ id }) => id),
      'read',
    ),
  );
  return (
    <>
      <PageHead title={t('inbox.title')} text={t('inbox.text')}>
        <button type="button" className="button" disabled={unread === 0 || allRead.busy} onClick={() => void allRead.run()}>
          {t('inbox.markAll')}
        </button>
        <Link className="button primary" to="/publish">
          {t('mesh.publish')}
        </Link>
      </PageHead>
      <p className="visually-hidden" role="status">
        {arrived.count > 0 && t('inbox.arrived', { title: arrived.title ?? '' })}
      </p>
      <ErrorNote error={page.error ?? allRead.error ?? older.error} retry={page.reload} />
      {page.loading && <Busy />}
      {page.data !== undefined && items.length === 0 && (
        <Card>
          <Empty icon="inbox" title={t('inbox.none')} text={t('inbox.noneText')} command={FIRST_STEPS}>
            <div className="row">
              <Link className="button" to="/subscriptions">
                {t('inbox.follow')}
              </Link>
              <Link className="button primary" to="/publish">
                {t('mesh.publish')}
              </Link>
            </div>
          </Empty>
        </Card>
      )}
      {items.length > 0 && (
        <div className="split even">
          <Card
            flush
            title={t('inbox.items')}
            actions={
              <Choice
                label={t('inbox.show')}
                value={shown}
                onChange={setShown}
                options={[
                  { value: 'all', label: t('inbox.all') },
                  { value: 'unread', label: t('inbox.unreadCount', { count: unread }) },
                ]}
              />
            }
          >
            {visible.length === 0 ? (
              <Empty icon="check" title={t('inbox.allRead')} />
            ) : (
              <Rows
                label={t('inbox.items')}
                items={visible}
                keyOf={({ id }) => id}
                rowHeight={62}
                height="calc(100dvh - 250px)"
                selected={selectedId}
                onSelect={open}
                onEnd={older.load}
                render={(item) => <ItemRow item={item} />}
              />
            )}
          </Card>
          {selected === undefined ? (
            <Card>
              <Empty icon="inbox" title={t('inbox.choose')} text={t('inbox.chooseText')} />
            </Card>
          ) : (
            <Item key={selected.id} item={selected} />
          )}
        </div>
      )}
    </>
  );
}

const isUnread = ({ state }: InboxItem) => state === 'new' || state === 'seen';

function ItemRow({ item }: { readonly item: InboxItem }) {
  const { t } = useTranslation();
  return (
    <div className={`list-item${isUnread(item) ? ' unread' : ''}`}>
      <div className="title">
        <span className="clip">
          {isUnread(item) && <span className="visually-hidden">{t('inbox.unread')}: </span>}
          {item.title}
        </span>
        <span className="muted small">
          <When at={item.createdAt} ago />
        </span>
      </div>
      <div className="row tight small muted">
        <Badge tone={TONES[item.priority] ?? 'plain'}>{t(`severity.${item.priority}`)}</Badge>
        {item.kind !== 'notification' && <Badge>{t(`inbox.kind.${item.kind}`, { defaultValue: item.kind })}</Badge>}
        {(item.repeats ?? 0) > 0 && <Badge>×{(item.repeats ?? 0) + 1}</Badge>}
        {item.resolvedAt !== undefined && <Badge tone="ok">{t('inbox.resolved')}</Badge>}
        <span className="clip mono">{item.events[0]?.type}</span>
      </div>
    </div>
  );
}

function Item({ item }: { readonly item: InboxItem }) {
  const { t } = useTranslation();
  const api = useApi();
  const say = useToast();
  const { mark, acknowledge } = useInbox();
  const done = useAction(async () => {
    await mark([item.id], 'done');
    say(t('inbox.doneSaid'));
  });
  const ack = useAction(async () => {
    await acknowledge(item.id);
    say(t('inbox.ackSaid'));
  });
  const feedback = useAction(async (useful: boolean) => {
    await api.post('/v1/feedback', { deliveryId: item.id, useful });
    say(t('inbox.feedbackSaid'));
  });
  return (
    <Card title={item.title} actions={<Badge tone={TONES[item.priority] ?? 'plain'}>{t(`severity.${item.priority}`)}</Badge>}>
      <div className="stack">
        <ErrorNote error={done.error ?? ack.error ?? feedback.error} />
        <div className="row">
          <button type="button" className="button" disabled={ack.busy || item.acknowledgedAt !== undefined} onClick={() => void ack.run()}>
            {t('inbox.ack')}
          </button>
          <button type="button" className="button" disabled={done.busy || item.state === 'done'} onClick={() => void done.run()}>
            {t('inbox.done')}
          </button>
          <button type="button" className="button quiet" onClick={() => void feedback.run(true)}>
            {t('inbox.useful')}
          </button>
          <button type="button" className="button quiet" onClick={() => void feedback.run(false)}>
            {t('inbox.notUseful')}
          </button>
        </div>
        <dl className="facts">
          <dt>{t('inbox.arrivedAt')}</dt>
          <dd>
            <When at={item.createdAt} />
          </dd>
          <dt>{t('inbox.state')}</dt>
          <dd>{t(`inbox.states.${item.state}`)}</dd>
          <dt>{t('inbox.urgency')}</dt>
          <dd>
            {item.urgency ?? '–'} · {t(item.interrupt === false ? 'inbox.quietly' : 'inbox.interrupted')}
          </dd>
          <dt>{t('inbox.because')}</dt>
          <dd>
            {item.reasons.length === 0
              ? '–'
              : item.reasons.map(({ subscriptionId, method }) => `${t(`inbox.method.${method}`)} (${subscriptionId})`).join(', ')}
          </dd>
        </dl>
        {item.events.map((event) => (
          <section key={`${event.source} ${event.id}`} className="stack close">
            <h3 className="mono">{event.type}</h3>
            {event.summary !== undefined && <p>{event.summary}</p>}
            <dl className="facts small">
              <dt>{t('inbox.event')}</dt>
              <dd className="mono">
                {event.source} · {event.id}
              </dd>
            </dl>
            <div className="row">
              <Link className="button small" to={`/explain?${new URLSearchParams({ event: event.id, source: event.source })}`}>
                {t('inbox.why')}
              </Link>
            </div>
            {event.data !== undefined && <JsonDetails label={t('inbox.data')} value={event.data} />}
          </section>
        ))}
      </div>
    </Card>
  );
}

/** Pages behind the newest, loaded when the end comes into sight. */
function useOlder(first: Page | undefined) {
  const api = useApi();
  const [state, setState] = useState<{ items: readonly InboxItem[]; busy: boolean; done: boolean; error: unknown }>({
    items: [],
    busy: false,
    done: false,
    error: undefined,
  });
  const lowest = (state.items.at(-1) ?? first?.items.at(-1))?.offset;
  const full = (first?.items.length ?? 0) >= PAGE;
  const load = useCallback(() => {
    if (!full || lowest === undefined || lowest <= 1 || state.busy || state.done || state.error !== undefined) return;
    setState((before) => ({ ...before, busy: true }));
    api.get<Page>('/v1/inbox', { before: lowest, limit: PAGE }).then(
      ({ items }) => setState((before) => ({ items: mergeItems(before.items, items), busy: false, done: items.length < PAGE, error: undefined })),
      (error: unknown) => setState((before) => ({ ...before, busy: false, error })),
    );
  }, [api, full, lowest, state]);
  // Marks of older items come with the next look at the whole.
  useEffect(() => {
    if (first !== undefined && first.unread === 0)
      setState((before) => ({ ...before, items: before.items.map((item) => (isUnread(item) ? { ...item, state: 'read' as const } : item)) }));
  }, [first]);
  return { items: state.items, error: state.error, load };
}
