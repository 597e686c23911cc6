import type { memoryContracts as memory, ResponseOf } from '@plexus/contracts';
import { type FormEvent, useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useSearchParams } from 'react-router';
import { useApi } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { useResource } from '../api/use-resource.js';
import { formatNumber } from '../model/format.js';
import { highlight, scoreBars } from '../model/score-bars.js';
import { Confirm } from '../ui/dialog.js';
import { Icon } from '../ui/icons.js';
import { Badge, Busy, Card, Empty, ErrorNote, Field, PageHead, When } from '../ui/parts.js';
import { useToast } from '../ui/toasts.js';

type Found = ResponseOf<typeof memory.searchMemory>;
type Hit = Found['hits'][number];
type Stats = ResponseOf<typeof memory.memoryStats>;
const KINDS = ['note', 'fact', 'preference', 'episode', 'summary'] as const;

/** What is remembered, found by words and by meaning, and where each score comes from. */
export default function MemoryPage() {
  const { t } = useTranslation();
  const api = useApi();
  const [params, setParams] = useSearchParams();
  const query = params.get('q') ?? '';
  const [text, setText] = useState(query);
  const stats = useResource(useCallback((signal: AbortSignal) => api.get<Stats>('/v1/memory/stats', undefined, signal), [api]));
  const ask = (event: FormEvent) => {
    event.preventDefault();
    setParams(text.trim() === '' ? {} : { q: text.trim() });
  };
  return (
    <>
      <PageHead title={t('memory.title')} text={t('memory.text')} />
      <div className="split wide-left">
        <div className="stack">
          <Card>
            <form className="row tight" onSubmit={ask}>
              <input
                className="input"
                type="search"
                aria-label={t('memory.search')}
                placeholder={t('memory.placeholder')}
                value={text}
                onChange={({ target }) => setText(target.value)}
              />
              <button type="submit" className="button primary">
                <Icon name="search" />
                {t('memory.find')}
              </button>
            </form>
          </Card>
          {query === '' ? <Newest onChanged={stats.reload} /> : <Results query={query} onChanged={stats.reload} />}
        </div>
        <div className="stack">
          <Remember onDone={stats.reload} />
          <ErrorNote error={stats.error} />
          {stats.data !== undefined && <StatsCard stats={stats.data} />}
        </div>
      </div>
    </>
  );
}

function Results({ query, onChanged }: { readonly query: string; readonly onChanged: () => void }) {
  const { t, i18n } = useTranslation();
  const api = useApi();
  const found = useResource(
    useCallback((signal: AbortSignal) => api.get<Found>('/v1/memory/search', { q: query, explain: true, k: 20, minScore: 0.05 }, signal), [api, query]),
  );
  if (found.error !== undefined) return <ErrorNote error={found.error} retry={found.reload} />;
  if (found.data === undefined) return <Busy />;
  const { hits, mode, degraded, tookMs } = found.data;
  const said = t('memory.found', { count: hits.length, ms: formatNumber(tookMs, i18n.language), mode: t(`memory.mode.${mode}`) });
  return (
    <Card title={t('memory.results')} flush actions={<span className="small muted">{said}</span>}>
      <p className="visually-hidden" role="status">
        {said}
      </p>
      {degraded !== undefined && <p className="card-body small muted">{t('memory.degraded', { why: degraded })}</p>}
      {hits.length === 0 ? (
        <Empty icon="memory" title={t('memory.nothing')} text={t('memory.nothingText')} />
      ) : (
        <ol>
          {hits.map((hit) => (
            <li key={hit.id}>
              <HitCard
                hit={hit}
                onChanged={() => {
                  found.reload();
                  onChanged();
                }}
              />
            </li>
          ))}
        </ol>
      )}
    </Card>
  );
}

function HitCard({ hit, onChanged }: { readonly hit: Hit; readonly onChanged: () => void }) {
  const { t, i18n } = useTranslation();
  return (
    <article className="hit">
      <p>
        {highlight(hit.content, hit.matched).map((piece) => (piece.hit ? <mark key={piece.at}>{piece.text}</mark> : <span key={piece.at}>{piece.text}</span>))}
      </p>
      <div className="row small muted">
        <Badge>{t(`memory.kind.${hit.kind}`)}</Badge>
        <span className="mono">
          {hit.scope.kind}:{hit.scope.id}
        </span>
        <When at={hit.createdAt} />
        <Forget id={hit.id} onChanged={onChanged} />
      </div>
      {hit.explain !== undefined && (
        <div className="score">
          {scoreBars(hit.score, hit.explain).map(({ name, value }) => (
            <ScoreRow key={name} name={t(`memory.score.${name}`)} value={value} text={formatNumber(value, i18n.language, 3)} strong={name === 'score'} />
          ))}
        </div>
      )}
      <div className="row small">
        {hit.matched.length > 0 && (
          <span>
            {t('memory.matched')} <code>{hit.matched.join(' ')}</code>
          </span>
        )}
        {hit.missing.length > 0 && (
          <span className="muted">
            {t('memory.missing')} <code>{hit.missing.join(' ')}</code>
          </span>
        )}
        {hit.explain?.cos != null && hit.explain.floor != null && (
          <span className="muted">
            {t('memory.cosine', { cos: formatNumber(hit.explain.cos, i18n.language, 3), floor: formatNumber(hit.explain.floor, i18n.language, 3) })}
          </span>
        )}
      </div>
    </article>
  );
}

function ScoreRow({ name, value, text, strong }: { readonly name: string; readonly value: number; readonly text: string; readonly strong: boolean }) {
  return (
    <>
      <span className={strong ? '' : 'muted'}>{strong ? <strong>{name}</strong> : name}</span>
      <div className="bar" aria-hidden="true">
        <span style={{ width: `${Math.min(1, Math.max(0, value)) * 100}%` }} />
      </div>
      <span className="number">{text}</span>
    </>
  );
}

function Newest({ onChanged }: { readonly onChanged: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const list = useResource(useCallback((signal: AbortSignal) => api.get<{ memories: memory.Memory[] }>('/v1/memory', { limit: 50 }, signal), [api]));
  if (list.error !== undefined) return <ErrorNote error={list.error} retry={list.reload} />;
  if (list.data === undefined) return <Busy />;
  return (
    <Card title={t('memory.newest')} flush>
      {list.data.memories.length === 0 ? (
        <Empty icon="memory" title={t('memory.none')} text={t('memory.noneText')} command='npx plexus memory add "Prefers short answers."' />
      ) : (
        <ul>
          {list.data.memories.map((one) => (
            <li key={one.id} className="hit">
              <p>{one.content}</p>
              <div className="row small muted">
                <Badge>{t(`memory.kind.${one.kind}`)}</Badge>
                <span className="mono">
                  {one.scope.kind}:{one.scope.id}
                </span>
                <When at={one.createdAt} />
                <Forget
                  id={one.id}
                  onChanged={() => {
                    list.reload();
                    onChanged();
                  }}
                />
              </div>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function Forget({ id, onChanged }: { readonly id: string; readonly onChanged: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const [asking, setAsking] = useState(false);
  const forget = useAction(async () => {
    await api.delete(`/v1/memory/${encodeURIComponent(id)}`);
    setAsking(false);
    onChanged();
  });
  return (
    <>
      <button type="button" className="button quiet small" onClick={() => setAsking(true)}>
        {t('memory.forget')}
      </button>
      {asking && (
        <Confirm
          title={t('memory.forget')}
          text={t('memory.forgetText')}
          action={t('memory.forget')}
          danger
          busy={forget.busy}
          error={forget.error}
          onConfirm={() => void forget.run()}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}

function Remember({ onDone }: { readonly onDone: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const say = useToast();
  const [content, setContent] = useState('');
  const [kind, setKind] = useState<(typeof KINDS)[number]>('note');
  const write = useAction(async () => {
    const { result } = await api.post<{ result: 'created' | 'duplicate' | 'replayed' }>('/v1/memory', { content: content.trim(), kind });
    say(t(`memory.wrote.${result}`));
    setContent('');
    onDone();
  });
  return (
    <Card title={t('memory.remember')}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void write.run();
        }}
      >
        <Field label={t('memory.content')}>
          {(control) => <textarea {...control} className="input" required value={content} onChange={({ target }) => setContent(target.value)} />}
        </Field>
        <Field label={t('memory.kindLabel')}>
          {(control) => (
            <select {...control} className="input" value={kind} onChange={({ target }) => setKind(target.value as typeof kind)}>
              {KINDS.map((value) => (
                <option key={value} value={value}>
                  {t(`memory.kind.${value}`)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <ErrorNote error={write.error} />
        <div>
          <button type="submit" className="button" disabled={write.busy || content.trim() === ''}>
            {t('memory.write')}
          </button>
        </div>
      </form>
    </Card>
  );
}

function StatsCard({ stats }: { readonly stats: Stats }) {
  const { t, i18n } = useTranslation();
  const number = (value: number) => formatNumber(value, i18n.language);
  return (
    <Card title={t('memory.state')}>
      <dl className="facts">
        <dt>{t('memory.count')}</dt>
        <dd className="number">{number(stats.memories)}</dd>
        <dt>{t('memory.pending')}</dt>
        <dd className="number">{number(stats.pendingEmbeddings)}</dd>
        <dt>{t('memory.backend')}</dt>
        <dd>
          {stats.backend} · {t(stats.vectorExtension ? 'memory.pgvector' : 'memory.noPgvector')}
        </dd>
        {(stats.models ?? []).map(({ id, kind, state }) => (
          <ModelFact key={id} id={id} kind={t(`memory.model.${kind}`)} state={state} />
        ))}
      </dl>
    </Card>
  );
}

function ModelFact({ id, kind, state }: { readonly id: string; readonly kind: string; readonly state: string }) {
  const { t } = useTranslation();
  return (
    <>
      <dt>{t('memory.modelLabel')}</dt>
      <dd>
        <span className="mono">{id}</span> <span className="muted">{kind}</span> <Badge tone={state === 'active' ? 'ok' : 'plain'}>{state}</Badge>
      </dd>
    </>
  );
}
