import type { MeshView } from '@plexus/contracts';
import { useTranslation } from 'react-i18next';
import { formatNumber } from '../model/format.js';
import { MAP, type MapNode, mapOf } from '../model/mesh-map.js';

/** Services around the bus: the colour of a box is its health, the dots are its replicas, a number on a wire is what waits. */
export function MeshPicture({ report }: { readonly report: MeshView }) {
  const { t, i18n } = useTranslation();
  const nodes = mapOf(report);
  const said = nodes
    .map(({ name, health, ready, replicas, lag }) =>
      t('mesh.said', { name, health: t(`mesh.health.${health}`), ready, replicas, lag: formatNumber(lag, i18n.language) }),
    )
    .join(' ');
  const { bus, width, height } = MAP;
  return (
    <svg className="mesh" viewBox={`0 0 ${width} ${height}`} role="img" aria-label={t('mesh.map')}>
      <desc>{said}</desc>
      <rect className="mesh-bus" x={bus.x} y={bus.y} width={bus.width} height={bus.height} rx={bus.height / 2} />
      <text x={bus.x + 20} y={bus.y + 20} fontSize="13" fontWeight="600">
        NATS
      </text>
      <text className="mesh-sub" x={bus.x + bus.width - 20} y={bus.y + 20} textAnchor="end">
        {t(report.nats.connected ? 'mesh.busUp' : 'mesh.busDown', { count: report.streams.length })}
      </text>
      {nodes.map((node) => (
        <Service key={node.name} node={node} />
      ))}
    </svg>
  );
}

const DOTS = 8;

function Service({ node }: { readonly node: MapNode }) {
  const { t, i18n } = useTranslation();
  const { name, health, ready, replicas, lag, clients, vms, width, x, y } = node;
  const { node: box, bus } = MAP;
  const above = y < bus.y;
  const from = above ? y + box.height / 2 : y - box.height / 2;
  const to = above ? bus.y : bus.y + bus.height;
  const number = (value: number) => formatNumber(value, i18n.language);
  const line =
    replicas === 0
      ? t('mesh.missing')
      : clients + vms > 0
        ? [t('mesh.socketsClients', { count: clients, number: number(clients) }), t('mesh.socketsVms', { count: vms, number: number(vms) })].join(', ')
        : t('mesh.count', { ready, replicas });
  return (
    <g>
      <path className={`mesh-wire ${health === 'bad' ? 'bad' : 'ok'}`} d={`M${x} ${from}V${to}`} />
      {lag > 0 && (
        <text className="mesh-sub" x={x + 10} y={(from + to) / 2 + 4}>
          {t('mesh.lag', { count: lag, number: number(lag) })}
        </text>
      )}
      <rect className={`mesh-node ${health}`} x={x - width / 2} y={y - box.height / 2} width={width} height={box.height} rx="12" strokeWidth="1.5" />
      <text x={x - width / 2 + 16} y={y - 10} fontSize="15" fontWeight="600">
        {name}
      </text>
      <text className="mesh-sub" x={x - width / 2 + 16} y={y + 8}>
        {line}
      </text>
      {Array.from({ length: Math.min(DOTS, Math.max(1, replicas)) }, (_, index) => (
        <circle
          key={index}
          className={`mesh-light ${replicas === 0 ? 'bad' : index < ready ? health : 'bad'}`}
          cx={x - width / 2 + 20 + index * 13}
          cy={y + 23}
          r="4"
        />
      ))}
      {replicas > DOTS && (
        <text className="mesh-sub" x={x + width / 2 - 12} y={y + 27} textAnchor="end">
          {number(replicas)}
        </text>
      )}
    </g>
  );
}
