import { useTranslation } from 'react-i18next';
import { formatDuration } from '../model/format.js';
import { type Segment, segmentsOf, type Tone, toneOfState, type Transition } from '../model/timeline.js';
import { When } from '../ui/parts.js';

const FILLS: Readonly<Record<Tone, string>> = { ok: 'var(--ok)', warn: 'var(--warn)', bad: 'var(--bad)', idle: 'var(--line-strong)' };
const WIDTH = 760;
const HEIGHT = 14;
const LABELLED = 70;

/** The states of a VM as a strip of time, and below it what caused each change. */
export function VmTimeline({ transitions }: { readonly transitions: readonly (Transition & { readonly replica?: string })[] }) {
  const { t } = useTranslation();
  if (transitions.length === 0) return <p className="card-body muted">{t('vms.noHistory')}</p>;
  const segments = segmentsOf(transitions, Date.now());
  return (
    <>
      <div className="card-body">
        <svg className="timeline" viewBox={`0 0 ${WIDTH} ${HEIGHT + 18}`} role="img" aria-label={t('vms.history')}>
          {segments.map((segment) => (
            <Strip key={`${segment.at} ${segment.state}`} segment={segment} />
          ))}
        </svg>
      </div>
      <div className="scroll-x">
        <table className="plain">
          <thead>
            <tr>
              {(['at', 'from', 'to', 'cause', 'epoch'] as const).map((name) => (
                <th key={name} scope="col">
                  {t(`vms.column.${name}`)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {transitions.map(({ from, to, cause, epoch, at }) => (
              <tr key={`${at} ${from} ${to}`}>
                <td>
                  <When at={at} />
                </td>
                <td className="whole">{t(`vms.state.${from as 'ready'}`)}</td>
                <td className="whole">{t(`vms.state.${to as 'ready'}`)}</td>
                <td className="mono whole">{cause}</td>
                <td className="number">{epoch}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Strip({ segment: { state, cause, ms, from, to } }: { readonly segment: Segment }) {
  const { t } = useTranslation();
  const x = from * WIDTH;
  const width = Math.max(2, (to - from) * WIDTH - 2);
  const name = t(`vms.state.${state as 'ready'}`);
  return (
    <g>
      <title>{`${name}: ${formatDuration(ms)} (${cause})`}</title>
      <rect x={x} y="0" width={width} height={HEIGHT} rx="4" fill={FILLS[toneOfState(state)]} />
      {width > LABELLED && (
        <text x={x} y={HEIGHT + 15}>
          {`${name} · ${formatDuration(ms)}`}
        </text>
      )}
    </g>
  );
}
