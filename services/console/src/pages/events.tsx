import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { useSession } from '../api/session.js';
import { eventRow, type TailRow } from '../model/event-tail.js';
import { Badge, Card, Choice, Empty, JsonDetails, PageHead, When } from '../ui/parts.js';
import { Rows } from '../ui/rows.js';

/** Older ones are let go of. */
const KEPT = 20_000;
const FLUSH_MS = 120;
const SHOWN = ['all', 'chat', 'agent', 'inbox'] as const;
type Shown = (typeof SHOWN)[number];

/** Everything that agents do, as it happens. */
export default function EventsPage() {
  const { t } = useTranslation();
  const { rows, paused, setPaused, clear } = useTail();
  const [shown, setShown] = useState<Shown>('all');
  const [filter, setFilter] = useState('');
  const [selected, setSelected] = useState<TailRow>();
  const wanted = filter.trim().toLowerCase();
  const visible = rows.filter(
    (row) => (shown === 'all' || row.family === shown) && (wanted === '' || row.text.toLowerCase().includes(wanted) || row.session.includes(wanted)),
  );
  return (
    <>
      <PageHead title={t('events.title')} text={t('events.text')}>
        <button type="button" className="button" aria-pressed={paused} onClick={() => setPaused(!paused)}>
          {t(paused ? 'events.go' : 'events.pause')}
        </button>
        <button type="button" className="button" onClick={clear} disabled={rows.length === 0}>
          {t('events.clear')}
        </button>
      </PageHead>
      <Card
        title={t('events.tail')}
        flush
        actions={
          <>
            <Choice
              label={t('events.show')}
              value={shown}
              onChange={setShown}
              options={SHOWN.map((value) => ({ value, label: t(`events.family.${value}`) }))}
            />
            <input
              className="input"
              type="search"
              aria-label={t('events.filter')}
              placeholder={t('events.filter')}
              value={filter}
              onChange={({ target }) => setFilter(target.value)}
              style={{ width: 200 }}
            />
          </>
        }
      >
        {visible.length === 0 ? (
          <Empty icon="events" title={t('events.none')} text={t('events.noneText')}>
            <Link className="button" to="/sessions">
              {t('mesh.chat')}
            </Link>
          </Empty>
        ) : (
          <Rows
            label={t('events.tail')}
            items={visible}
            keyOf={({ id }) => String(id)}
            rowHeight={31}
            height="calc(100dvh - 250px)"
            follow={!paused}
            selected={selected === undefined ? undefined : String(selected.id)}
            onSelect={setSelected}
            render={({ at, name, family, session, text }) => (
              <div className="tail-row">
                <span className="muted">
                  <When at={at} />
                </span>
                <span>
                  <Badge tone={family === 'agent' ? 'accent' : family === 'inbox' ? 'ok' : 'plain'}>{name}</Badge>
                </span>
                <span className="clip mono muted">{session}</span>
                <span className="clip">{text}</span>
              </div>
            )}
          />
        )}
      </Card>
      {selected !== undefined && (
        <Card title={t('events.payload', { name: selected.name })}>
          <JsonDetails label={t('details')} value={selected.payload} />
        </Card>
      )}
    </>
  );
}

/** Rows are shown in batches: a hundred events a second are one repaint, not a hundred. */
function useTail() {
  const { client } = useSession();
  const [rows, setRows] = useState<readonly TailRow[]>([]);
  const [paused, setPaused] = useState(false);
  const waiting = useRef<TailRow[]>([]);
  const next = useRef(0);
  const isPaused = useRef(paused);
  isPaused.current = paused;
  useEffect(() => {
    const stop = client.on('*', (payload, { event }) => {
      const row = eventRow(next.current, event, payload, new Date().toISOString());
      if (row === undefined) return;
      next.current += 1;
      waiting.current.push(row);
      if (waiting.current.length > KEPT) waiting.current.splice(0, waiting.current.length - KEPT);
    });
    const timer = setInterval(() => {
      if (isPaused.current || waiting.current.length === 0) return;
      const fresh = waiting.current.splice(0);
      setRows((before) => [...before, ...fresh].slice(-KEPT));
    }, FLUSH_MS);
    return () => {
      stop();
      clearInterval(timer);
    };
  }, [client]);
  return { rows, paused, setPaused, clear: () => setRows([]) };
}
