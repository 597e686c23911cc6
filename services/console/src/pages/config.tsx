import type { configContracts as config, ResponseOf } from '@plexus/contracts';
import { useCallback, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useApi } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { useResource } from '../api/use-resource.js';
import { formatBytes } from '../model/format.js';
import { Confirm } from '../ui/dialog.js';
import { Diff } from '../ui/diff.js';
import { Editor } from '../ui/editor.js';
import { Badge, Busy, Card, Choice, ErrorNote, Field, Notice, PageHead, When } from '../ui/parts.js';
import { useToast } from '../ui/toasts.js';

type Stored = ResponseOf<typeof config.getConfig> & { readonly text: string };
type Check = ResponseOf<typeof config.checkConfig>;
type History = ResponseOf<typeof config.configHistory>;
type Status = ResponseOf<typeof config.configStatus>;
type View = 'edit' | 'diff' | 'history' | 'status';

/** The tenant's configuration: checked while it is written, compared before it is stored, and every earlier one kept. */
export default function ConfigPage() {
  const { t } = useTranslation();
  const api = useApi();
  const [view, setView] = useState<View>('edit');
  const [text, setText] = useState<string>();
  const stored = useResource(
    useCallback(
      async (signal: AbortSignal) => {
        const { data, etag } = await api.send<Stored>('GET', '/v1/config', { signal });
        // What was written on one line reads better on many; comments are never touched.
        return { ...data, text: data.text.includes('\n') ? data.text : (formatted(data.text) ?? data.text), etag };
      },
      [api],
    ),
  );
  useEffect(() => setText(stored.data?.text), [stored.data]);
  return (
    <>
      <PageHead title={t('config.title')} text={t('config.text')}>
        <Choice
          label={t('config.view')}
          value={view}
          onChange={setView}
          options={(['edit', 'diff', 'history', 'status'] as const).map((value) => ({ value, label: t(`config.views.${value}`) }))}
        />
      </PageHead>
      <ErrorNote error={stored.error} retry={stored.reload} />
      {stored.loading && <Busy />}
      {stored.data !== undefined && text !== undefined && (
        <>
          {view === 'edit' && <Workbench stored={stored.data} text={text} setText={setText} onStored={stored.reload} />}
          {view === 'diff' && (
            <Card title={t('config.views.diff')}>
              <Diff label={t('config.views.diff')} before={stored.data.text} after={text} />
            </Card>
          )}
          {view === 'history' && <HistoryCard onRestored={stored.reload} />}
          {view === 'status' && <StatusCard />}
        </>
      )}
    </>
  );
}

interface WorkbenchProps {
  readonly stored: Stored & { readonly etag: string | undefined };
  readonly text: string;
  readonly setText: (text: string) => void;
  readonly onStored: () => void;
}

const PAUSE_MS = 400;

function Workbench({ stored, text, setText, onStored }: WorkbenchProps) {
  const { t } = useTranslation();
  const api = useApi();
  const say = useToast();
  const [comment, setComment] = useState('');
  const changed = text !== stored.text;
  const check = useCheck(text);
  const apply = useAction(async () => {
    const written = await api.put<{ revision: number; changed: boolean }>('/v1/config', undefined, {
      text: { type: 'application/json5', content: text },
      headers: { 'if-match': stored.etag ?? '*' },
      query: { comment: comment.trim() },
    });
    say(t(written.changed ? 'config.stored' : 'config.same', { revision: written.revision }));
    setComment('');
    onStored();
  });
  return (
    <Card
      title={t('config.document')}
      actions={
        <span className="small muted">
          {stored.exists ? t('config.revision', { revision: stored.revision }) : t('config.defaults')} {stored.at !== undefined && <When at={stored.at} />}
        </span>
      }
    >
      <div className="stack">
        <Editor label={t('config.document')} language="json" value={text} onChange={setText} height="420px" />
        <CheckReport check={check} changed={changed} />
        <form
          className="row end"
          onSubmit={(event) => {
            event.preventDefault();
            void apply.run();
          }}
        >
          <Field label={t('config.comment')}>
            {(control) => <input {...control} className="input" maxLength={500} value={comment} onChange={({ target }) => setComment(target.value)} />}
          </Field>
          <button type="submit" className="button primary" disabled={!changed || apply.busy || check.data?.valid !== true}>
            {t('config.apply')}
          </button>
          <button type="button" className="button" disabled={!changed} onClick={() => setText(stored.text)}>
            {t('config.discard')}
          </button>
          <button type="button" className="button quiet" disabled={formatted(text) === undefined} onClick={() => setText(formatted(text) ?? text)}>
            {t('config.format')}
          </button>
        </form>
        <ErrorNote error={apply.error} />
      </div>
    </Card>
  );
}

/** Plain JSON over several lines; undefined for what has comments (they would be lost) and for what is formatted already. */
function formatted(text: string): string | undefined {
  try {
    const next = `${JSON.stringify(JSON.parse(text), undefined, 2)}\n`;
    return next.trim() === text.trim() ? undefined : next;
  } catch {
    // JSON5, or half a document.
    return undefined;
  }
}

/** What storing the text would do, asked when the writer pauses. */
function useCheck(text: string) {
  const api = useApi();
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const check = useResource(useCallback((signal: AbortSignal) => api.post<Check>('/v1/config/check', { text: settled }, { signal }), [api, settled]));
  return { ...check, data: settled === text ? check.data : undefined };
}

function CheckReport({ check, changed }: { readonly check: { readonly data: Check | undefined; readonly error: unknown }; readonly changed: boolean }) {
  const { t } = useTranslation();
  if (check.error !== undefined) return <ErrorNote error={check.error} />;
  if (check.data === undefined) return <Busy text={t('config.checking')} />;
  const { valid, issues, warnings, conflicts, changedPaths } = check.data;
  return (
    <div className="stack close">
      <Notice tone={valid ? 'ok' : 'bad'} live title={t(valid ? 'config.valid' : 'config.invalid', { count: issues.length })}>
        <ul>
          {issues.map(({ path, message, fix }) => (
            <li key={`${path} ${message}`}>
              <code>{path === '' ? '.' : path}</code> {message} {fix !== undefined && <em className="muted">{fix}</em>}
            </li>
          ))}
        </ul>
        {valid && changed && changedPaths.length > 0 && (
          <span>
            {t('config.changes')} <code>{changedPaths.join(', ')}</code>
          </span>
        )}
      </Notice>
      {[...warnings, ...conflicts.map(({ code, message }) => ({ path: 'bindings', code, message }))].map(({ path, message }) => (
        <Notice key={`${path} ${message}`} tone="warn" title={path}>
          {message}
        </Notice>
      ))}
    </div>
  );
}

function HistoryCard({ onRestored }: { readonly onRestored: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const [asking, setAsking] = useState<number>();
  const history = useResource(useCallback((signal: AbortSignal) => api.get<History>('/v1/config/history', { limit: 50 }, signal), [api]));
  const restore = useAction(async (revision: number) => {
    await api.post('/v1/config/rollback', { revision });
    setAsking(undefined);
    history.reload();
    onRestored();
  });
  return (
    <Card title={t('config.views.history')} flush>
      <ErrorNote error={history.error} retry={history.reload} />
      {history.loading && <Busy />}
      <div className="scroll-x">
        <table className="plain">
          <thead>
            <tr>
              {(['revision', 'at', 'by', 'kind', 'changes', 'size', 'actions'] as const).map((name) => (
                <th key={name} scope="col">
                  {t(`config.column.${name}`)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {(history.data?.entries ?? []).map(({ revision, at, by, kind, comment, changedPaths, bytes }, place) => (
              <tr key={revision}>
                <th scope="row" className="number">
                  {revision}
                </th>
                <td>
                  <When at={at} />
                </td>
                <td>{by}</td>
                <td>
                  <Badge>{kind}</Badge>
                </td>
                <td>
                  {comment !== undefined && <div>{comment}</div>}
                  <span className="mono muted">{changedPaths.slice(0, 8).join(', ')}</span>
                </td>
                <td className="number">{formatBytes(bytes)}</td>
                <td>
                  {place > 0 && (
                    <button type="button" className="button small" onClick={() => setAsking(revision)} aria-label={t('config.restoreOne', { revision })}>
                      {t('config.restore')}
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {asking !== undefined && (
        <Confirm
          title={t('config.restoreOne', { revision: asking })}
          text={t('config.restoreText')}
          action={t('config.restore')}
          busy={restore.busy}
          error={restore.error}
          onConfirm={() => void restore.run(asking)}
          onClose={() => setAsking(undefined)}
        />
      )}
    </Card>
  );
}

function StatusCard() {
  const { t } = useTranslation();
  const api = useApi();
  const status = useResource(
    useCallback((signal: AbortSignal) => api.get<Status>('/v1/config/status', undefined, signal), [api]),
    3_000,
  );
  return (
    <Card
      title={t('config.views.status')}
      flush
      actions={
        status.data !== undefined && (
          <Badge tone={status.data.converged ? 'ok' : 'warn'}>{t(status.data.converged ? 'config.converged' : 'config.converging')}</Badge>
        )
      }
    >
      <ErrorNote error={status.error} retry={status.reload} />
      {status.loading && <Busy />}
      <table className="plain">
        <thead>
          <tr>
            {(['service', 'applied', 'desired', 'restart', 'failed'] as const).map((name) => (
              <th key={name} scope="col">
                {t(`config.column.${name}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {(status.data?.replicas ?? []).map(({ service, instanceId, restart, progress, degraded }) => (
            <tr key={`${service} ${instanceId}`}>
              <th scope="row">{service}</th>
              <td className="number">{progress?.appliedRevision ?? '–'}</td>
              <td className="number">{progress?.desiredRevision ?? '–'}</td>
              <td>{restart === 'none' ? '–' : restart}</td>
              <td>{[...degraded.map(({ reason }) => reason), ...(progress?.failed ?? []).map(({ message }) => message)].join('; ') || '–'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}
