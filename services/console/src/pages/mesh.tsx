import type { MeshConsumer, MeshReplica, MeshView } from '@plexus/contracts';
import { useCallback } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { useApi } from '../api/session.js';
import { useResource } from '../api/use-resource.js';
import { useWhoAmI } from '../api/whoami.js';
import { formatBytes, formatDuration, formatNumber, shortId } from '../model/format.js';
import { healthOf, isReady } from '../model/mesh-map.js';
import { Badge, Busy, Card, Empty, ErrorNote, Notice, PageHead, Scroll } from '../ui/parts.js';
import { MeshPicture } from './mesh-picture.js';

const REFRESH_MS = 2_000;

/** The live map: services, replicas, what waits, and how they are. */
export default function MeshPage() {
  const { t } = useTranslation();
  const api = useApi();
  const who = useWhoAmI();
  const mayLook = who.data?.deployment === true;
  const load = useCallback((signal: AbortSignal) => api.get<MeshView>('/v1/mesh', undefined, signal), [api]);
  const mesh = useResource(mayLook ? load : undefined, REFRESH_MS);
  const report = mesh.data;
  return (
    <>
      <PageHead title={t('mesh.title')} text={t('mesh.text')}>
        <Link className="button" to="/publish">
          {t('mesh.publish')}
        </Link>
        <Link className="button primary" to="/sessions">
          {t('mesh.chat')}
        </Link>
      </PageHead>
      <ErrorNote error={who.error ?? mesh.error} retry={mesh.reload} />
      {who.data !== undefined && !mayLook && (
        <Empty icon="mesh" title={t('mesh.closed')} text={t('mesh.closedText')}>
          <Link className="button" to="/inbox">
            {t('nav.inbox')}
          </Link>
        </Empty>
      )}
      {(who.loading || mesh.loading) && mesh.error === undefined && <Busy />}
      {report !== undefined && <Report report={report} />}
    </>
  );
}

function Report({ report }: { readonly report: MeshView }) {
  const { t, i18n } = useTranslation();
  const health = healthOf(report);
  const sum = (values: readonly number[]) =>
    formatNumber(
      values.reduce((total, value) => total + value, 0),
      i18n.language,
    );
  const replicas = report.services.flatMap(({ replicas }) => replicas);
  const figures: readonly (readonly [string, string])[] = [
    [t('mesh.services'), sum([report.services.length])],
    [t('mesh.replicas'), sum([replicas.length])],
    [t('mesh.clients'), sum(replicas.map(({ vitals }) => vitals.clients ?? 0))],
    [t('mesh.vms'), sum(replicas.map(({ vitals }) => vitals.vms ?? 0))],
    [t('mesh.waiting'), sum(report.consumers.map(({ pending }) => pending))],
    [t('mesh.memory'), formatBytes(replicas.reduce((total, { vitals }) => total + (vitals.rssBytes ?? 0), 0))],
  ];
  return (
    <>
      {report.problems.length > 0 && (
        <Notice tone="warn" title={t('mesh.problems')}>
          {report.problems.join(' ')}
        </Notice>
      )}
      <Card
        title={t('mesh.map')}
        flush
        actions={
          <span role="status">
            <Badge dot tone={health}>
              {t(`mesh.health.${health}`)}
            </Badge>
          </span>
        }
      >
        <MeshPicture report={report} />
        <dl className="figures">
          {figures.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </Card>
      <Replicas report={report} />
      <Waiting report={report} />
    </>
  );
}

function Replicas({ report }: { readonly report: MeshView }) {
  const { t, i18n } = useTranslation();
  return (
    <Card title={t('mesh.replicas')} flush>
      <div className="scroll-x">
        <table className="plain">
          <thead>
            <tr>
              {(['service', 'replica', 'state', 'version', 'up', 'requests', 'errors', 'memory'] as const).map((name) => (
                <th key={name} scope="col">
                  {t(`mesh.column.${name}`)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {report.services.flatMap(({ name, replicas }) =>
              replicas.map((replica) => (
                <tr key={replica.id}>
                  <th scope="row">{name}</th>
                  <td className="mono whole">{shortId(replica.instance ?? replica.id)}</td>
                  <td>
                    <ReplicaState replica={replica} />
                  </td>
                  <td>{replica.version}</td>
                  <td className="number">{replica.uptimeMs === undefined ? '–' : formatDuration(replica.uptimeMs)}</td>
                  <td className="number">{formatNumber(replica.requests, i18n.language)}</td>
                  <td className="number">{formatNumber(replica.errors, i18n.language)}</td>
                  <td className="number">{replica.vitals.rssBytes === undefined ? '–' : formatBytes(replica.vitals.rssBytes)}</td>
                </tr>
              )),
            )}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

/** In a word, and what fails or limps, with its reason on hover and for screen readers. */
function ReplicaState({ replica }: { readonly replica: MeshReplica }) {
  const { t } = useTranslation();
  const { answers, failing, degraded } = replica;
  const state = !answers ? 'silent' : !isReady(replica) ? 'notReady' : degraded.length > 0 ? 'degraded' : 'ready';
  const troubles = [...failing.map(({ name, reason }) => ({ name, reason })), ...degraded.map(({ module, reason }) => ({ name: module, reason }))];
  return (
    <>
      <Badge dot tone={state === 'ready' ? 'ok' : state === 'degraded' ? 'warn' : 'bad'}>
        {t(`mesh.${state}`)}
      </Badge>
      {troubles.map(({ name, reason }) => (
        <div key={name} className="small muted">
          {name}: {reason}
        </div>
      ))}
    </>
  );
}

function Waiting({ report }: { readonly report: MeshView }) {
  const { t, i18n } = useTranslation();
  const number = (value: number) => formatNumber(value, i18n.language);
  return (
    <div className="stack">
      <Card title={t('mesh.consumers')} flush>
        <Scroll label={t('mesh.consumers')}>
          <table className="plain">
            <thead>
              <tr>
                {(['consumer', 'stream', 'pending', 'unacked', 'again'] as const).map((name) => (
                  <th key={name} scope="col">
                    {t(`mesh.column.${name}`)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {busiestFirst(report.consumers).map(({ stream, name, summary, pending, ackPending, redelivered }) => (
                <tr key={`${stream} ${name}`}>
                  <th scope="row" className="whole" title={summary}>
                    {name}
                  </th>
                  <td className="mono whole">{stream}</td>
                  <td className="number">{pending > 0 ? <Badge tone="warn">{number(pending)}</Badge> : number(pending)}</td>
                  <td className="number">{number(ackPending)}</td>
                  <td className="number">{number(redelivered)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      </Card>
      <Card title={t('mesh.streams')} flush>
        <Scroll label={t('mesh.streams')}>
          <table className="plain">
            <thead>
              <tr>
                {(['stream', 'messages', 'size', 'readers'] as const).map((name) => (
                  <th key={name} scope="col">
                    {t(`mesh.column.${name}`)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {report.streams.map(({ name, summary, messages, bytes, consumers }) => (
                <tr key={name}>
                  <th scope="row" className="mono whole" title={summary}>
                    {name}
                  </th>
                  <td className="number">{number(messages)}</td>
                  <td className="number">{formatBytes(bytes)}</td>
                  <td className="number">{number(consumers)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      </Card>
    </div>
  );
}

/** Where something waits stands first; else by name. */
const busiestFirst = (consumers: readonly MeshConsumer[]): readonly MeshConsumer[] =>
  [...consumers].sort((a, b) => b.pending - a.pending || b.ackPending - a.ackPending || a.name.localeCompare(b.name, 'en'));
