import { METRIC_CATALOGUE } from '@plexus/telemetry';

type Metric = keyof typeof METRIC_CATALOGUE;
type LabelOf<M extends Metric> = Extract<keyof (typeof METRIC_CATALOGUE)[M]['labels'], string>;

/** What a Kubernetes PodMonitor and our example scrape configuration call the service of a process. */
export const SERVICE = 'app_kubernetes_io_component';

/** A series of the catalogue: a name or label that is not there does not compile. */
export function series<M extends Metric>(metric: M, match: Partial<Record<LabelOf<M> | typeof SERVICE, string>> = {}, suffix = ''): string {
  const chosen = Object.entries(match).map(([label, value]) => (String(value).includes('|') ? `${label}=~"${value}"` : `${label}="${value}"`));
  return `${METRIC_CATALOGUE[metric].name}${suffix}${chosen.length > 0 ? `{${chosen.join(',')}}` : ''}`;
}

/** Per second, over `window`, added up by labels. */
export function rate<M extends Metric>(
  metric: M,
  by: readonly (LabelOf<M> | typeof SERVICE)[],
  match: Partial<Record<LabelOf<M> | typeof SERVICE, string>> = {},
  window = '5m',
): string {
  return `sum by (${by.join(', ')}) (rate(${series(metric, match)}[${window}]))`;
}

/** How many in `window`, added up by labels. */
export function increase<M extends Metric>(
  metric: M,
  by: readonly (LabelOf<M> | typeof SERVICE)[],
  match: Partial<Record<LabelOf<M> | typeof SERVICE, string>> = {},
  window = '15m',
): string {
  return `sum by (${by.join(', ')}) (increase(${series(metric, match)}[${window}]))`;
}

/**
 * Whether anything was counted in `window`. A counter appears with its first count, of which `increase` knows nothing: a series that was not there before
 * counts as a whole.
 */
export function happened<M extends Metric>(
  metric: M,
  by: readonly (LabelOf<M> | typeof SERVICE)[],
  match: Partial<Record<LabelOf<M> | typeof SERVICE, string>> = {},
  window = '15m',
): string {
  const counted = series(metric, match);
  return `${increase(metric, by, match, window)} > 0 or sum by (${by.join(', ')}) (${counted} unless ${counted} offset ${window}) > 0`;
}

/** A quantile of a histogram, by labels. */
export function quantile<M extends Metric>(q: number, metric: M, by: readonly (LabelOf<M> | typeof SERVICE)[] = [], window = '5m'): string {
  return `histogram_quantile(${q}, sum by (${['le', ...by].join(', ')}) (rate(${series(metric, {}, '_bucket')}[${window}])))`;
}
