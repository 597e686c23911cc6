import { METRIC_CATALOGUE, METRICS, type MetricDefinition } from './metrics-catalogue.js';

const definitions: [string, MetricDefinition][] = Object.entries(METRIC_CATALOGUE);

describe('the metric catalogue', () => {
  it('names every metric once', () => {
    const names = Object.values(METRICS);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each(definitions)('%s follows the naming rules of Prometheus', (_key, { name, kind, unit }) => {
    expect(name).toMatch(/^(plexus|process|nodejs)_[a-z0-9_]+$/);
    expect(name.endsWith('_total')).toBe(kind === 'counter' || kind === 'observed-counter');
    if (kind === 'histogram') expect([name.endsWith('_seconds'), unit]).toEqual([true, 's']);
  });

  it('labels nothing with a tenant, user, session, subject or id', () => {
    const labels = definitions.flatMap(([, definition]) => Object.keys(definition.labels));
    expect(labels.filter((label) => /tenant|user|session|subject|(^|_)id$|key/.test(label))).toEqual([]);
  });
});
