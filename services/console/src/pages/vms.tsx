import type { ResponseOf, vmContracts as vm } from '@plexus/contracts';
import { useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate, useParams } from 'react-router';
import { useApi } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { useResource } from '../api/use-resource.js';
import { shortId } from '../model/format.js';
import { toneOfState } from '../model/timeline.js';
import { Confirm } from '../ui/dialog.js';
import { Badge, Busy, Card, Empty, ErrorNote, PageHead, type Tone, When } from '../ui/parts.js';
import { useToast } from '../ui/toasts.js';
import { VmLog } from './vm-log.js';
import { VmTimeline } from './vm-timeline.js';

type Vm = vm.VmSummary;
type Why = ResponseOf<typeof vm.whyVm>;
type History = ResponseOf<typeof vm.vmHistory>;
const REFRESH_MS = 3_000;
const badgeTone = (state: string): Tone => ({ ok: 'ok', warn: 'warn', bad: 'bad', idle: 'plain' })[toneOfState(state)] as Tone;

/** Where agents run: state, history, and why each of them is alive. */
export default function VmsPage() {
  const { t } = useTranslation();
  const api = useApi();
  const { id } = useParams();
  const navigate = useNavigate();
  const [gone, setGone] = useState(false);
  const list = useResource(
    useCallback((signal: AbortSignal) => api.get<{ vms: Vm[] }>('/v1/vms', { includeTerminated: gone, limit: 500 }, signal), [api, gone]),
    REFRESH_MS,
  );
  const ensure = useAction(async () => {
    const { vmId } = await api.post<{ vmId: string }>('/v1/vms/ensure', {});
    list.reload();
    void navigate(`/vms/${encodeURIComponent(vmId)}`);
  });
  const vms = list.data?.vms ?? [];
  const shown = id ?? vms[0]?.vmId;
  return (
    <>
      <PageHead title={t('vms.title')} text={t('vms.text')}>
        <label className="check">
          <input type="checkbox" checked={gone} onChange={({ target }) => setGone(target.checked)} />
          {t('vms.gone')}
        </label>
        <button type="button" className="button primary" disabled={ensure.busy} onClick={() => void ensure.run()}>
          {t('vms.ensure')}
        </button>
      </PageHead>
      <ErrorNote error={list.error ?? ensure.error} retry={list.reload} />
      {list.loading && <Busy />}
      {list.data !== undefined && vms.length === 0 && (
        <Card>
          <Empty icon="vm" title={t('vms.none')} text={t('vms.noneText')} command="npx plexus vm ensure" />
        </Card>
      )}
      {vms.length > 0 && (
        <div className="split">
          <Card title={t('vms.list')} flush>
            <ul>
              {vms.map((one) => (
                <li key={one.vmId}>
                  <button
                    type="button"
                    className="choice"
                    aria-pressed={one.vmId === shown}
                    onClick={() => void navigate(`/vms/${encodeURIComponent(one.vmId)}`)}
                  >
                    <span className="row spread tight">
                      <span className="clip">
                        {one.owner} <span className="muted">{one.scopeKey}</span>
                      </span>
                      <Badge dot tone={badgeTone(one.state)}>
                        {t(`vms.state.${one.state}`)}
                      </Badge>
                    </span>
                    <span className="row spread tight small muted">
                      <span className="clip mono">{shortId(one.vmId)}</span>
                      <When at={one.stateSince} ago />
                    </span>
                  </button>
                </li>
              ))}
            </ul>
          </Card>
          {shown !== undefined && <VmDetails key={shown} id={shown} onChanged={list.reload} />}
        </div>
      )}
    </>
  );
}

function VmDetails({ id, onChanged }: { readonly id: string; readonly onChanged: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const path = `/v1/vms/${encodeURIComponent(id)}`;
  const why = useResource(
    useCallback((signal: AbortSignal) => api.get<Why>(`${path}/why`, undefined, signal), [api, path]),
    REFRESH_MS,
  );
  const history = useResource(
    useCallback((signal: AbortSignal) => api.get<History>(`${path}/history`, { limit: 100 }, signal), [api, path]),
    REFRESH_MS,
  );
  const changed = () => {
    why.reload();
    history.reload();
    onChanged();
  };
  if (why.error !== undefined) return <ErrorNote error={why.error} retry={why.reload} />;
  if (why.data === undefined) return <Busy />;
  const { vm: one, because, until, activity } = why.data;
  return (
    <div className="stack">
      <Card title={<span className="mono">{one.vmId}</span>} actions={<VmActions vm={one} path={path} onChanged={changed} />}>
        <div className="stack">
          <div className="verdict">
            <Badge dot tone={badgeTone(one.state)}>
              {t(`vms.state.${one.state}`)}
            </Badge>
            <span>{t('vms.why')}</span>
          </div>
          <ul className="stack close because">
            {because.map((sentence) => (
              <li key={sentence}>{sentence}</li>
            ))}
          </ul>
          {until !== undefined && (
            <p>
              {t('vms.until')} <When at={until} /> (<When at={until} ago />)
            </p>
          )}
          <dl className="facts">
            <dt>{t('vms.owner')}</dt>
            <dd>
              {one.owner} · {one.scopeKey}
            </dd>
            <dt>{t('vms.desired')}</dt>
            <dd>{t(`vms.desiredState.${one.desiredState}`)}</dd>
            <dt>{t('vms.epoch')}</dt>
            <dd className="number">{one.epoch}</dd>
            <dt>{t('vms.place')}</dt>
            <dd>{[one.provider, one.host, one.pid === undefined ? undefined : `pid ${one.pid}`].filter((part) => part !== undefined).join(' · ') || '–'}</dd>
            {one.reason !== undefined && (
              <>
                <dt>{t('vms.reason')}</dt>
                <dd>
                  <code>{one.reason.code}</code> {one.reason.text}
                </dd>
              </>
            )}
          </dl>
        </div>
      </Card>
      <Card title={t('vms.history')} flush>
        <ErrorNote error={history.error} retry={history.reload} />
        {history.data !== undefined && <VmTimeline transitions={history.data.transitions} />}
      </Card>
      {activity.length > 0 && (
        <Card title={t('vms.activity')}>
          <dl className="facts">
            {activity.map(({ kind, source, at }) => (
              <ActivityFact key={`${kind} ${source}`} kind={kind} source={source} at={at} />
            ))}
          </dl>
        </Card>
      )}
      <VmLog path={path} ended={one.state === 'terminated'} />
    </div>
  );
}

function ActivityFact({ kind, source, at }: { readonly kind: string; readonly source: string; readonly at: string }) {
  return (
    <>
      <dt>{kind}</dt>
      <dd>
        {source} · <When at={at} ago />
      </dd>
    </>
  );
}

const WISHES = ['pause', 'resume', 'touch'] as const;

function VmActions({ vm: { state }, path, onChanged }: { readonly vm: Vm; readonly path: string; readonly onChanged: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const say = useToast();
  const [asking, setAsking] = useState(false);
  const wish = useAction(async (name: (typeof WISHES)[number]) => {
    await api.post(`${path}/${name}`);
    say(t(`vms.said.${name}`));
    onChanged();
  });
  const end = useAction(async () => {
    await api.delete(path);
    setAsking(false);
    onChanged();
  });
  if (state === 'terminated') return null;
  return (
    <>
      {WISHES.filter((name) => name !== (state === 'paused' ? 'pause' : 'resume')).map((name) => (
        <button key={name} type="button" className="button small" disabled={wish.busy} onClick={() => void wish.run(name)}>
          {t(`vms.${name}`)}
        </button>
      ))}
      <button type="button" className="button small danger" onClick={() => setAsking(true)}>
        {t('vms.end')}
      </button>
      <ErrorNote error={wish.error} />
      {asking && (
        <Confirm
          title={t('vms.end')}
          text={t('vms.endText')}
          action={t('vms.end')}
          danger
          busy={end.busy}
          error={end.error}
          onConfirm={() => void end.run()}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}
