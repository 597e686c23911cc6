import { useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useApi } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { useResource } from '../api/use-resource.js';
import { formatBytes } from '../model/format.js';
import { Confirm } from '../ui/dialog.js';
import { Badge, Busy, Card, Empty, ErrorNote, Notice, PageHead, When } from '../ui/parts.js';

interface Letter {
  readonly seq: number;
  readonly consumer: string;
  readonly code: string;
  readonly reason: string;
  readonly attempts: number;
  readonly originSubject: string;
  readonly originStream: string;
  readonly originSeq: number;
  readonly parkedAt: string;
  readonly bytes: number;
}
interface Outcome {
  readonly seq: number;
  readonly ok: boolean;
  readonly code?: string;
  readonly message?: string;
}
const REFRESH_MS = 10_000;
type Wish = 'redrive' | 'drop';

/** What could not be handled and waits for a person: sent again, or given up. */
export default function DeadLettersPage() {
  const { t } = useTranslation();
  const api = useApi();
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const [shown, setShown] = useState<number>();
  const [asking, setAsking] = useState<Wish>();
  const list = useResource(
    useCallback((signal: AbortSignal) => api.get<{ letters: Letter[]; next?: number }>('/v1/dlq', { limit: 200 }, signal), [api]),
    REFRESH_MS,
  );
  const letters = list.data?.letters ?? [];
  const seqs = letters.map(({ seq }) => seq).filter((seq) => chosen.has(seq));
  const act = useAction(async (wish: Wish) => {
    const { outcomes } = await api.post<{ outcomes: Outcome[] }>(`/v1/dlq/${wish}`, { seqs });
    setAsking(undefined);
    setChosen(new Set());
    if (shown !== undefined && seqs.includes(shown)) setShown(undefined);
    list.reload();
    return { wish, outcomes };
  });
  const toggle = (seq: number) =>
    setChosen((before) => {
      const next = new Set(before);
      if (!next.delete(seq)) next.add(seq);
      return next;
    });
  return (
    <>
      <PageHead title={t('dead.title')} text={t('dead.text')}>
        <button type="button" className="button primary" disabled={seqs.length === 0} onClick={() => setAsking('redrive')}>
          {t('dead.redrive', { count: seqs.length })}
        </button>
        <button type="button" className="button danger" disabled={seqs.length === 0} onClick={() => setAsking('drop')}>
          {t('dead.drop', { count: seqs.length })}
        </button>
      </PageHead>
      <ErrorNote error={list.error} retry={list.reload} />
      {act.result !== undefined && <Outcomes {...act.result} />}
      {list.loading && <Busy />}
      {list.data !== undefined && (
        <Card title={t('dead.list')} flush>
          {letters.length === 0 ? (
            <Empty icon="check" title={t('dead.none')} text={t('dead.noneText')} />
          ) : (
            <div className="scroll-x">
              <table className="plain">
                <thead>
                  <tr>
                    <th scope="col">
                      <input
                        type="checkbox"
                        aria-label={t('dead.all')}
                        checked={seqs.length === letters.length}
                        onChange={({ target }) => setChosen(new Set(target.checked ? letters.map(({ seq }) => seq) : []))}
                      />
                    </th>
                    {(['seq', 'consumer', 'code', 'subject', 'attempts', 'at', 'size'] as const).map((name) => (
                      <th key={name} scope="col">
                        {t(`dead.column.${name}`)}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {letters.map((letter) => (
                    <tr key={letter.seq}>
                      <td>
                        <input
                          type="checkbox"
                          aria-label={t('dead.choose', { seq: letter.seq })}
                          checked={chosen.has(letter.seq)}
                          onChange={() => toggle(letter.seq)}
                        />
                      </td>
                      <th scope="row">
                        <button
                          type="button"
                          className="button small"
                          aria-expanded={shown === letter.seq}
                          onClick={() => setShown(shown === letter.seq ? undefined : letter.seq)}
                        >
                          {letter.seq}
                        </button>
                      </th>
                      <td>{letter.consumer}</td>
                      <td>
                        <Badge tone="bad">{letter.code}</Badge>
                        <div className="small muted">{sentenceOf(letter.reason)}</div>
                      </td>
                      <td className="mono">{letter.originSubject}</td>
                      <td className="number">{letter.attempts}</td>
                      <td>
                        <When at={letter.parkedAt === '' ? undefined : letter.parkedAt} />
                      </td>
                      <td className="number">{formatBytes(letter.bytes)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </Card>
      )}
      {shown !== undefined && <LetterBody key={shown} seq={shown} />}
      {asking !== undefined && (
        <Confirm
          title={t(asking === 'redrive' ? 'dead.redriveTitle' : 'dead.dropTitle', { count: seqs.length })}
          text={t(asking === 'redrive' ? 'dead.redriveText' : 'dead.dropText')}
          action={t(asking === 'redrive' ? 'dead.redrive' : 'dead.drop', { count: seqs.length })}
          danger={asking === 'drop'}
          busy={act.busy}
          error={act.error}
          onConfirm={() => void act.run(asking)}
          onClose={() => setAsking(undefined)}
        />
      )}
    </>
  );
}

function Outcomes({ wish, outcomes }: { readonly wish: Wish; readonly outcomes: readonly Outcome[] }) {
  const { t } = useTranslation();
  const failed = outcomes.filter(({ ok }) => !ok);
  const count = outcomes.length - failed.length;
  return (
    <Notice tone={failed.length > 0 ? 'bad' : 'ok'} live title={t(wish === 'redrive' ? 'dead.redriven' : 'dead.dropped', { count })}>
      {failed.map(({ seq, code, message }) => (
        <div key={seq}>
          {seq}: {message} <code>{code}</code>
        </div>
      ))}
    </Notice>
  );
}

function LetterBody({ seq }: { readonly seq: number }) {
  const { t } = useTranslation();
  const api = useApi();
  const letter = useResource(
    useCallback(
      (signal: AbortSignal) => api.get<{ letter: Letter; text?: string; base64?: string; truncated: boolean }>(`/v1/dlq/${seq}`, undefined, signal),
      [api, seq],
    ),
  );
  return (
    <Card title={t('dead.body', { seq })}>
      <ErrorNote error={letter.error} retry={letter.reload} />
      {letter.loading && <Busy />}
      {letter.data !== undefined && (
        <div className="stack close">
          <dl className="facts">
            <dt>{t('dead.origin')}</dt>
            <dd className="mono">
              {letter.data.letter.originStream} #{letter.data.letter.originSeq}
            </dd>
            <dt>{t('dead.reason')}</dt>
            <dd>{letter.data.letter.reason}</dd>
          </dl>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: long bodies are scrolled, with the keyboard too */}
          <section className="diff command" tabIndex={0} aria-label={t('dead.body', { seq })}>
            <pre>{pretty(letter.data.text ?? letter.data.base64 ?? '')}</pre>
          </section>
          {letter.data.truncated && <p className="small muted">{t('dead.truncated')}</p>}
        </div>
      )}
    </Card>
  );
}

/** Without the list of issues, which the letter itself shows. */
function sentenceOf(reason: string): string {
  return reason.split(/ ?[{[]"/, 1)[0] ?? reason;
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    // Not JSON: it is shown as it came.
    return text;
  }
}
