import { ChatEvent, GatewayError } from '@plexus/client-protocol';
import { useCallback, useEffect, useReducer, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useSession } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { useResource } from '../api/use-resource.js';
import type { Attached } from '../model/attachments.js';
import {
  type ConversationStep,
  isStop,
  type Line,
  linesOf,
  NOTHING_SAID,
  nextConversation,
  openRun,
  openText,
  type TranscriptMessage,
} from '../model/conversation.js';
import { Confirm } from '../ui/dialog.js';
import { Badge, Busy, Card, Empty, ErrorNote, When } from '../ui/parts.js';
import { useToast } from '../ui/toasts.js';
import { AttachedFiles } from './attached.js';
import { Composer } from './composer.js';
import { asSent, useDrop, useWaitingFiles } from './waiting-files.js';

interface History {
  readonly sessionKey: string;
  readonly messages: readonly TranscriptMessage[];
  readonly hasMore: boolean;
  readonly totalMessages: number;
}

/** One conversation: what was said, the answer while it is written, and a place to write. */
export function Chat({ sessionKey, activeRunId }: { readonly sessionKey: string; readonly activeRunId: string | undefined }) {
  const { t } = useTranslation();
  const { api, client, connection } = useSession();
  const [state, step] = useReducer(nextConversation, NOTHING_SAID);
  const [limit, setLimit] = useState(200);
  const path = `/v1/sessions/${encodeURIComponent(sessionKey)}`;
  const history = useResource(useCallback((signal: AbortSignal) => api.get<History>(`${path}/history`, { limit }, signal), [api, path, limit]));
  const { reload, data } = history;
  const canonical = data?.sessionKey ?? sessionKey;

  useEffect(() => {
    if (data !== undefined) step({ kind: 'history', messages: data.messages });
  }, [data]);
  useEffect(
    () =>
      client.on('chat', (payload) => {
        const event = ChatEvent.safeParse(payload);
        if (!event.success || event.data.sessionKey !== canonical) return;
        step({ kind: 'event', event: event.data });
        if (event.data.state === 'final' || event.data.state === 'aborted' || event.data.state === 'error') reload();
      }),
    [client, canonical, reload],
  );
  useEffect(
    () =>
      client.on('session.message', (payload) => {
        if ((payload as { sessionKey?: string }).sessionKey === canonical) reload();
      }),
    [client, canonical, reload],
  );
  useEffect(() => {
    if (connection === 0) return;
    const subscribed = client.request('sessions.messages.subscribe', { key: sessionKey }).catch(() => undefined); // Not there yet: its first message makes it.
    // What was said while nobody listened, before the first connection too.
    void subscribed.then(reload);
  }, [client, connection, sessionKey, reload]);

  const waiting = useWaitingFiles();
  const drop = useDrop(waiting);
  const send = useSay(sessionKey, step, reload);
  const running = openRun(state, activeRunId);
  const toast = useToast();
  const stop = useAction(async (runId?: string) => {
    const { aborted } = (await client.abort(sessionKey, runId)) as { readonly aborted?: boolean };
    reload();
    return aborted === true;
  });
  const say = (text: string, files: readonly Attached[]) => {
    if (!isStop(text) || files.length > 0) return send(text, files);
    const idle = () => toast(t('chat.nothingToStop'));
    // Nobody has said anything here: there may not even be such a session.
    if (running === undefined && linesOf(state).length === 0) return idle();
    // Whatever of this session waits or runs, also what this page does not know of.
    return void stop.run().then((stopped) => stopped === false && idle());
  };
  const begin = () => {
    step({ kind: 'clear' });
    reload();
  };
  return (
    <Card
      flush
      title={
        <span className="clip">
          <span className="visually-hidden">{t('chat.with')} </span>
          <span className="mono">{canonical}</span>
        </span>
      }
      actions={<ResetButton path={path} onDone={begin} disabled={(data?.totalMessages ?? 0) === 0} />}
    >
      <div className={`chat${drop.over ? ' over' : ''}`} {...drop.handlers}>
        <div className="chat-errors">
          <ErrorNote error={history.error ?? stop.error} retry={reload} />
        </div>
        <Log
          lines={linesOf(state)}
          path={path}
          loading={history.loading && state.messages.length === 0}
          more={data?.hasMore ? () => setLimit(1_000) : undefined}
        />
        <Composer running={running !== undefined} stopping={stop.busy} waiting={waiting} onSay={say} onStop={() => void stop.run(running)} />
      </div>
      <LiveAnswer text={openText(state)} />
    </Card>
  );
}

/** Sends a message. Messages go in the order in which they were said, also when the files of one take a while. */
function useSay(sessionKey: string, step: (next: ConversationStep) => void, reload: () => void): (text: string, files: readonly Attached[]) => void {
  const { t } = useTranslation();
  const { client } = useSession();
  const before = useRef<Promise<unknown>>(Promise.resolve());
  return (text, files) => {
    const runId = crypto.randomUUID();
    step({ kind: 'say', runId, text, files });
    const started = before.current.then(async () => {
      const attachments = await Promise.all(files.map(asSent));
      // Going away does not end what was asked for: it is there when one comes back.
      const input = { sessionKey, message: text, idempotencyKey: runId, on_client_disconnect: 'continue' } as const;
      return { stream: client.chatSend({ ...input, ...(attachments.length > 0 && { attachments }) }) };
    });
    before.current = started.catch(() => undefined); // Told below; the next message does not wait for it.
    void (async () => {
      try {
        for await (const _piece of (await started).stream) {
          // The events of the session draw it; the stream is followed for its failures.
        }
      } catch (error) {
        const code = error instanceof GatewayError ? (error.detailCode ?? error.code) : 'UNKNOWN';
        const said = error instanceof Error ? error.message : String(error);
        const advice = t(`errors.${code}`, { defaultValue: '' });
        if (code !== 'CLIENT_CLOSED') step({ kind: 'refused', runId, failure: advice === '' ? said : t('of', { what: advice, name: said }) });
      } finally {
        reload();
      }
    })();
  };
}

function Log({
  lines,
  path,
  loading,
  more,
}: {
  readonly lines: readonly Line[];
  readonly path: string;
  readonly loading: boolean;
  readonly more: (() => void) | undefined;
}) {
  const { t } = useTranslation();
  const log = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    const shown = log.current;
    if (shown !== null && atEnd.current) shown.scrollTop = shown.scrollHeight;
  }, [lines]);
  return (
    <section
      ref={log}
      className="chat-log"
      aria-label={t('chat.log')}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what is longer than the page is scrolled, with the keyboard too
      tabIndex={0}
      onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
        atEnd.current = scrollHeight - scrollTop - clientHeight < 60;
      }}
    >
      {loading && <Busy />}
      {more !== undefined && (
        <button type="button" className="button small" onClick={more}>
          {t('chat.earlier')}
        </button>
      )}
      {!loading && lines.length === 0 && <Empty icon="chat" title={t('chat.none')} text={t('chat.noneText')} />}
      {lines.map((line) => (
        <Message key={line.key} line={line} path={path} />
      ))}
    </section>
  );
}

function Message({ line, path }: { readonly line: Line; readonly path: string }) {
  const { t } = useTranslation();
  const waiting = line.open && line.text === '';
  return (
    <article className={`chat-message ${line.role === 'user' ? 'user' : 'assistant'}${line.failure === undefined ? '' : ' failed'}`} aria-busy={line.open}>
      <div className="meta">
        <span>{t(`chat.role.${line.role}`)}</span>
        {line.at !== undefined && <When at={line.at} />}
        {line.label !== undefined && (
          <Badge tone={line.label === 'stopped' ? 'warn' : 'info'}>{t(`chat.label.${line.label}`, { defaultValue: line.label })}</Badge>
        )}
      </div>
      {(line.open || line.text !== '') && (
        <div className={`bubble${line.open ? ' caret' : ''}`}>{waiting ? <span className="muted">{t('chat.thinking')}</span> : line.text}</div>
      )}
      <AttachedFiles line={line} path={path} />
      {line.failure !== undefined && (
        <div className="small" role="alert">
          {line.failure}
        </div>
      )}
    </article>
  );
}

const SPOKEN_MS = 1_500;

/** What is being written, said sentence by sentence instead of letter by letter. */
function LiveAnswer({ text }: { readonly text: string | undefined }) {
  const [said, setSaid] = useState('');
  const latest = useRef(text);
  latest.current = text;
  useEffect(() => {
    const timer = setInterval(() => setSaid(latest.current ?? ''), SPOKEN_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <div className="visually-hidden" role="status" aria-live="polite">
      {said}
    </div>
  );
}

function ResetButton({ path, onDone, disabled }: { readonly path: string; readonly onDone: () => void; readonly disabled: boolean }) {
  const { t } = useTranslation();
  const { api } = useSession();
  const [asking, setAsking] = useState(false);
  const reset = useAction(async () => {
    await api.post(`${path}/reset`, {});
    setAsking(false);
    onDone();
  });
  return (
    <>
      <button type="button" className="button small" disabled={disabled} onClick={() => setAsking(true)}>
        {t('chat.reset')}
      </button>
      {asking && (
        <Confirm
          title={t('chat.reset')}
          text={t('chat.resetText')}
          action={t('chat.reset')}
          busy={reset.busy}
          error={reset.error}
          onConfirm={() => void reset.run()}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}
