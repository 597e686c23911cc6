import { increase, quantile, rate, SERVICE, series } from './metric.js';

interface Panel {
  readonly title: string;
  readonly unit: 'short' | 'ops' | 's' | 'bytes' | 'percentunit' | 'cps';
  /** Legend and expression of each line. */
  readonly lines: readonly (readonly [legend: string, expr: string])[];
  readonly kind?: 'timeseries' | 'stat';
  readonly what?: string;
}

interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly rows: readonly Row[];
}

const service = `{{${SERVICE}}}`;
const timed = <M extends Parameters<typeof quantile>[1]>(metric: M, title: string, by: Parameters<typeof quantile<M>>[2] = [], legend = ''): Panel => ({
  title,
  unit: 's',
  lines: [
    [`p50 ${legend}`.trim(), quantile(0.5, metric, by)],
    [`p99 ${legend}`.trim(), quantile(0.99, metric, by)],
  ],
});

/** What is looked at first at night, then one page per part of the mesh. */
export const DASHBOARDS: readonly Dashboard[] = [
  {
    uid: 'plexus-overview',
    title: 'Plexus: overview',
    rows: [
      {
        title: 'Is it up',
        panels: [
          { title: 'Ready replicas', unit: 'short', kind: 'stat', lines: [[service, `sum by (${SERVICE}) (${series('serviceReady')})`]] },
          { title: 'Without NATS', unit: 'short', kind: 'stat', lines: [[service, `sum by (${SERVICE}) (1 - ${series('natsConnected')})`]] },
          {
            title: 'Dead letters, last hour',
            unit: 'short',
            kind: 'stat',
            lines: [['{{consumer}}', increase('messagesConsumed', ['consumer'], { outcome: 'park' }, '1h')]],
          },
        ],
      },
      {
        title: 'Calls: rate, errors, duration',
        panels: [
          { title: 'Calls', unit: 'ops', lines: [[service, rate('rpcServed', [SERVICE])]] },
          {
            title: 'Share that failed',
            unit: 'percentunit',
            lines: [[service, `${rate('rpcServed', [SERVICE], { outcome: 'error' })} / ${rate('rpcServed', [SERVICE])}`]],
          },
          timed('rpcServedSeconds', 'Time to answer', [SERVICE], service),
          { title: 'Errors by code', unit: 'ops', lines: [['{{code}}', rate('rpcServed', ['code'], { outcome: 'error' })]] },
        ],
      },
      {
        title: 'Messages',
        panels: [
          { title: 'Published', unit: 'ops', lines: [['{{outcome}}', rate('messagesPublished', ['outcome'])]] },
          { title: 'Handled', unit: 'ops', lines: [['{{outcome}}', rate('messagesConsumed', ['outcome'])]] },
          timed('messageSeconds', 'Time to handle', ['consumer'], '{{consumer}}'),
          { title: 'In flight', unit: 'short', lines: [['{{consumer}}', `sum by (consumer) (${series('messagesInFlight')})`]] },
        ],
      },
      {
        title: 'Saturation',
        panels: [
          { title: 'Outbox rows not published yet', unit: 'short', lines: [[service, `max by (${SERVICE}) (${series('outboxPending')})`]] },
          { title: 'Event loop, p99', unit: 's', lines: [[service, `max by (${SERVICE}) (${series('eventLoopLag', { quantile: '0.99' })})`]] },
          { title: 'Processor', unit: 'short', what: 'Cores.', lines: [[service, rate('processCpu', [SERVICE])]] },
          { title: 'Memory', unit: 'bytes', lines: [[service, `max by (${SERVICE}) (${series('processResidentMemory')})`]] },
          timed('databaseSeconds', 'Queries', [SERVICE], service),
          { title: 'Transactions', unit: 'ops', lines: [['{{outcome}}', rate('databaseTransactions', ['outcome'])]] },
        ],
      },
    ],
  },
  {
    uid: 'plexus-gateway',
    title: 'Plexus: gateway and runs',
    rows: [
      {
        title: 'Connections',
        panels: [
          { title: 'Open', unit: 'short', lines: [['{{kind}}', `sum by (kind) (${series('connections')})`]] },
          { title: 'Closed, by code', unit: 'ops', lines: [['{{kind}} {{code}}', rate('connectionsClosed', ['kind', 'code'])]] },
          { title: 'Frames out', unit: 'ops', lines: [['{{kind}}', rate('framesSent', ['kind'])]] },
          { title: 'Frames in', unit: 'ops', lines: [['{{kind}}', rate('framesReceived', ['kind'])]] },
          {
            title: 'Users whose newest items were forgotten early',
            unit: 'ops',
            lines: [[service, rate('inboxRecentForgotten', [SERVICE])]],
            what: 'They are read from push instead: correct, and slower after a wave of reconnects.',
          },
          { title: 'Credentials', unit: 'ops', lines: [['{{outcome}}', rate('tokensVerified', ['outcome'])]] },
        ],
      },
      {
        title: 'Runs',
        panels: [{ title: 'Ended', unit: 'ops', lines: [['{{outcome}}', rate('runs', ['outcome'])]] }, timed('runSeconds', 'Length of a run')],
      },
      {
        title: 'Channels',
        panels: [
          { title: 'Received', unit: 'ops', lines: [['{{adapter}} {{outcome}}', rate('channelReceived', ['adapter', 'outcome'])]] },
          { title: 'Sent', unit: 'ops', lines: [['{{channel}} {{outcome}}', rate('deliveries', ['channel', 'outcome'])]] },
          { title: 'Accounts', unit: 'short', lines: [['{{adapter}} {{state}}', `sum by (adapter, state) (${series('channelAccounts')})`]] },
          { title: 'Breakers', unit: 'short', lines: [['{{channel}} {{change}}', increase('breakerTransitions', ['channel', 'change'])]] },
        ],
      },
    ],
  },
  {
    uid: 'plexus-push-memory',
    title: 'Plexus: push and memory',
    rows: [
      {
        title: 'Push',
        panels: [
          { title: 'Decisions', unit: 'ops', lines: [['{{action}}', rate('pushDecisions', ['action'])]] },
          { title: 'Sends', unit: 'ops', lines: [['{{channel}} {{outcome}}', rate('pushSends', ['channel', 'outcome'])]] },
          { title: 'Schedules', unit: 'ops', lines: [['{{result}}', rate('pushFirings', ['result'])]] },
          { title: 'Dispatches', unit: 'ops', lines: [['{{result}}', rate('pushDispatches', ['result'])]] },
          { title: 'Matching by meaning', unit: 'ops', lines: [['{{result}}', rate('pushMeanings', ['result'])]] },
        ],
      },
      {
        title: 'Memory',
        panels: [
          { title: 'Written', unit: 'ops', lines: [['{{result}}', rate('memoriesWritten', ['result'])]] },
          timed('memorySearchSeconds', 'Search'),
          { title: 'Vectors to be made', unit: 'short', lines: [['waiting', `max(${series('embeddingsPending')})`]] },
        ],
      },
    ],
  },
  {
    uid: 'plexus-vms',
    title: 'Plexus: VMs',
    rows: [
      {
        title: 'VMs',
        panels: [
          { title: 'By state', unit: 'short', lines: [['{{state}}', `max by (state) (${series('vms')})`]] },
          { title: 'Changes of state', unit: 'ops', lines: [['{{from}} → {{to}}', rate('vmTransitions', ['from', 'to'])]] },
          timed('vmEnsureSeconds', 'Time of ensure', ['path'], '{{path}}'),
          { title: 'Starts that failed', unit: 'short', lines: [['{{provider}} {{reason}}', increase('vmProvisionFailures', ['provider', 'reason'])]] },
          { title: 'Oldest lease', unit: 's', lines: [['age', `max(${series('vmLeaseAge')})`]] },
          {
            title: 'Warm pool',
            unit: 'short',
            lines: [
              ['ready', `max(${series('vmPoolReady')})`],
              ['wanted', `max(${series('vmPoolDesired')})`],
            ],
          },
          {
            title: 'Refused: fence and quota',
            unit: 'short',
            lines: [
              ['fenced', `sum(increase(${series('vmFencedMessages')}[15m]))`],
              ['quota', `sum(increase(${series('vmQuotaDenied')}[15m]))`],
            ],
          },
          { title: 'Programs without a VM', unit: 'short', lines: [['{{reason}}', increase('vmOrphansReaped', ['reason'])]] },
        ],
      },
    ],
  },
];

const COLUMNS = 24;

/** A dashboard as Grafana reads it: two or three panels a row, one data source to choose. */
export function toGrafana({ uid, title, rows }: Dashboard): Record<string, unknown> {
  let y = 0;
  let id = 0;
  const panels: Record<string, unknown>[] = [];
  for (const row of rows) {
    panels.push({ id: ++id, type: 'row', title: row.title, collapsed: false, gridPos: { x: 0, y, w: COLUMNS, h: 1 }, panels: [] });
    y += 1;
    const perLine = row.panels.length % 3 === 0 ? 3 : 2;
    row.panels.forEach((panel, index) => {
      const w = COLUMNS / perLine;
      panels.push({ id: ++id, ...grafanaPanel(panel), gridPos: { x: (index % perLine) * w, y: y + Math.floor(index / perLine) * 8, w, h: 8 } });
    });
    y += Math.ceil(row.panels.length / perLine) * 8;
  }
  return {
    uid,
    title,
    tags: ['plexus'],
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1,
    time: { from: 'now-3h', to: 'now' },
    refresh: '30s',
    templating: { list: [{ name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Data source' }] },
    panels,
  };
}

function grafanaPanel({ title, unit, lines, kind = 'timeseries', what }: Panel): Record<string, unknown> {
  return {
    type: kind,
    title,
    ...(what === undefined ? {} : { description: what }),
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of Grafana's
    datasource: { type: 'prometheus', uid: '${datasource}' },
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    targets: lines.map(([legendFormat, expr], index) => ({ refId: String.fromCharCode(65 + index), expr, legendFormat })),
  };
}
