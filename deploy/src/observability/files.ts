import { stringify } from 'yaml';
import { ALERTS } from './alerts.js';
import { DASHBOARDS, toGrafana } from './dashboards.js';

const NOTE = '# Written by `npm run generate -w @plexus/deploy` from deploy/src/observability.\n';

/** Every generated file of observability by its path in the repository: for people without Kubernetes, and for the chart. */
export function observabilityFiles(): Record<string, string> {
  const rules = `${NOTE}${stringify({ groups: groups() }, { lineWidth: 0 })}`;
  const boards = DASHBOARDS.map((dashboard) => [dashboard.uid.replace('plexus-', ''), `${JSON.stringify(toGrafana(dashboard), undefined, 2)}\n`] as const);
  return Object.fromEntries(
    ['deploy/observability', 'helm/plexus/files'].flatMap((folder) => [
      [`${folder}/rules/plexus.yaml`, rules],
      ...boards.map(([name, text]) => [`${folder}/dashboards/${name}.json`, text]),
    ]),
  );
}

function groups(): object[] {
  return Object.entries(ALERTS).map(([name, alerts]) => ({
    name,
    rules: alerts.map(({ alert, expr, severity, summary, for: held }) => ({ alert, expr, for: held, labels: { severity }, annotations: { summary } })),
  }));
}
