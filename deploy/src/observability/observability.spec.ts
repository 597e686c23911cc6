import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { METRIC_CATALOGUE } from '@plexus/telemetry';
import { parser } from '@prometheus-io/lezer-promql';
import { repositoryRoot } from '@plexus/testing';
import { ALERTS } from './alerts.js';
import { DASHBOARDS, toGrafana } from './dashboards.js';
import { observabilityFiles } from './files.js';
import { SERVICE } from './metric.js';

const alerts = Object.values(ALERTS).flat();
const panels = DASHBOARDS.flatMap(({ rows }) => rows.flatMap((row) => row.panels));
const expressions = [
  ...alerts.map(({ alert, expr }) => [alert, expr] as const),
  ...panels.flatMap(({ title, lines }) => lines.map(([, expr]) => [title, expr] as const)),
];

/** Where the parser of PromQL had to skip or invent something. */
function faultsOf(expr: string): number {
  let faults = 0;
  parser.parse(expr).iterate({
    enter: ({ type }) => {
      if (type.isError) faults += 1;
    },
  });
  return faults;
}

describe('alerts and dashboards', () => {
  it('are PromQL', () => {
    expect(faultsOf('sum by (a (rate(b[5m]))')).toBeGreaterThan(0);
    expect(expressions.filter(([, expr]) => faultsOf(expr) > 0)).toEqual([]);
  });

  it('compare and group only by labels that the metric has', () => {
    for (const [where, expr] of expressions) {
      const names = [...expr.matchAll(/\b((?:plexus|nodejs|process)_[a-z_]+?)(?:_bucket)?(?=[{[)\s]|$)/g)].map((match) => match[1]);
      const metrics = names.map((name) => Object.values(METRIC_CATALOGUE).find((metric) => metric.name === name));
      expect([where, names.length > 0, metrics.includes(undefined)]).toEqual([where, true, false]);
      const known = new Set([SERVICE, 'le', ...metrics.flatMap((metric) => Object.keys(metric?.labels ?? {}))]);
      const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap((match) => (match[1] as string).split(', '));
      const compared = [...expr.matchAll(/([a-z_]+)=~?"([^"]*)"/g)];
      expect([where, [...grouped, ...compared.map((match) => match[1] as string)].filter((label) => !known.has(label))]).toEqual([where, []]);
      for (const [, label, value] of compared) {
        const vocabulary = metrics.map((metric) => (metric?.labels as Record<string, unknown> | undefined)?.[label as string]).find(Array.isArray) as
          | string[]
          | undefined;
        if (vocabulary !== undefined) expect([where, (value as string).split('|').filter((one) => !vocabulary.includes(one))]).toEqual([where, []]);
      }
    }
  });

  it('look at metrics that some program sets', () => {
    const sources = ['libs', 'services'].flatMap((group) =>
      readdirSync(path.join(repositoryRoot(), group)).flatMap((project) => {
        const folder = path.join(repositoryRoot(), group, project, 'src');
        if (!existsSync(folder)) return [];
        const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
          (file) => /\.ts$/.test(file) && !/spec\.ts$|metrics-catalogue/.test(file),
        );
        return files.map((file) => readFileSync(path.join(folder, file), 'utf8'));
      }),
    );
    const all = sources.join('\n');
    const unset = Object.entries(METRIC_CATALOGUE).filter(([key]) => !new RegExp(`['.]${key}\\b`).test(all));
    expect(unset.map(([, { name }]) => name)).toEqual([]);
  });

  it('see the first of what they count, whose series was not there before', () => {
    const blind = alerts.filter(({ expr }) => /increase\([^)]*\)\)? > 0/.test(expr) && !/ unless \S+ offset /.test(expr));
    expect(blind.map(({ alert }) => alert)).toEqual([]);
    expect(alerts.filter(({ expr }) => expr.includes(' unless ')).length).toBeGreaterThan(4);
  });

  it('compare with what may not be there only beside a case for that', () => {
    const retried = alerts.find(({ alert }) => alert === 'PlexusMessagesRetried')?.expr ?? '';
    const [failed, done] = [/outcome=~"retry\|error"/, /outcome="done"/];
    const [compared, alone] = retried.split(' or ') as [string, string];
    for (const part of [compared, alone]) expect([failed.test(part), done.test(part)]).toEqual([true, true]);
    expect(alone).toContain(' unless ');
  });

  it('have a runbook each, and no runbook is of an alert that is gone', () => {
    const text = readFileSync(path.join(repositoryRoot(), 'docs/runbooks.md'), 'utf8');
    const headings = [...text.matchAll(/^## (Plexus\w+)$/gm)].map((match) => match[1] as string);
    expect(headings.sort()).toEqual(alerts.map(({ alert }) => alert).sort());
  });

  it('show every metric that says how a service does', () => {
    const shown = expressions.map(([, expr]) => expr).join('\n');
    const details =
      /^(nodejs_heap|nodejs_external|process_start|plexus_(spans_dropped|rpc_called|outbox_published|tokens_minted|signing_key|config_reloads|channel_messages|channel_sends|vm_pool_hit))/;
    const missing = Object.values(METRIC_CATALOGUE).filter(({ name }) => !details.test(name) && !shown.includes(name));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });

  it('fill the width of a dashboard without covering each other', () => {
    for (const dashboard of DASHBOARDS) {
      const { panels: placed } = toGrafana(dashboard) as { panels: { gridPos: { x: number; y: number; w: number; h: number } }[] };
      const cells = placed.flatMap(({ gridPos: { x, y, w, h } }) => Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`));
      expect(new Set(cells).size).toBe(cells.length);
    }
  });

  it('are written down as they are declared', () => {
    for (const [file, text] of Object.entries(observabilityFiles())) {
      const place = path.join(repositoryRoot(), file);
      expect([file, existsSync(place) && normal(file, readFileSync(place, 'utf8'))]).toEqual([file, normal(file, text)]);
    }
  });
});

/** The formatter of the repository may break lines of JSON otherwise. */
function normal(file: string, text: string): string {
  return file.endsWith('.json') ? JSON.stringify(JSON.parse(text)) : text;
}
