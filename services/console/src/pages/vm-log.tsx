import { useCallback, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useApi } from '../api/session.js';
import { useResource } from '../api/use-resource.js';
import { Busy, Card, Empty, ErrorNote } from '../ui/parts.js';

const TAIL_BYTES = 32_768;
const REFRESH_MS = 2_000;
/** Closer to the end than this counts as being there: new lines are scrolled to. */
const NEAR_PX = 24;

/** What the runtime of a VM says, followed while it is open. */
export function VmLog({ path, ended }: { readonly path: string; readonly ended: boolean }) {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  const [following, setFollowing] = useState(true);
  return (
    <Card
      title={t('vms.logs')}
      actions={
        <>
          {open && !ended && (
            <label className="check">
              <input type="checkbox" checked={following} onChange={({ target }) => setFollowing(target.checked)} />
              {t('vms.followLog')}
            </label>
          )}
          <button type="button" className="button small" aria-expanded={open} onClick={() => setOpen(!open)}>
            {t(open ? 'vms.hideLogs' : 'vms.showLogs')}
          </button>
        </>
      }
    >
      {open ? <Tail path={path} following={following && !ended} /> : <p className="muted small">{t('vms.logsText')}</p>}
    </Card>
  );
}

function Tail({ path, following }: { readonly path: string; readonly following: boolean }) {
  const { t } = useTranslation();
  const api = useApi();
  const logs = useResource(
    useCallback((signal: AbortSignal) => api.get<{ text?: string }>(`${path}/logs`, { tailBytes: TAIL_BYTES }, signal), [api, path]),
    following ? REFRESH_MS : undefined,
  );
  const text = logs.data?.text;
  const box = useRef<HTMLElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    if (text !== undefined && box.current !== null && atEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [text]);
  if (logs.error !== undefined) return <ErrorNote error={logs.error} retry={logs.reload} />;
  if (logs.data === undefined) return <Busy />;
  if (text === undefined || text === '') return <Empty icon="events" title={t(text === '' ? 'vms.emptyLog' : 'vms.noLogs')} />;
  return (
    <section
      ref={box}
      className="diff command log"
      aria-label={t('vms.logs')}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: long logs are scrolled, with the keyboard too
      tabIndex={0}
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        atEnd.current = scrollHeight - scrollTop - clientHeight < NEAR_PX;
      }}
    >
      <pre>{text}</pre>
    </section>
  );
}
