import { happened, increase, quantile, rate, SERVICE, series } from './metric.js';

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  /** How long it must hold. */
  readonly for: string;
  readonly severity: 'page' | 'ticket';
  readonly summary: string;
}

const SERVICES = ['gateway', 'routing', 'push', 'memory', 'scheduler'] as const;
const FAILED = rate('messagesConsumed', ['consumer'], { outcome: 'retry|error' });
const DONE = rate('messagesConsumed', ['consumer'], { outcome: 'done' });
const OUR_FAULT = 'INTERNAL|UNAVAILABLE|TIMEOUT|NO_RESPONDERS';

/** Alerts by what they are about. Every one has a runbook under its name in docs/runbooks.md; a test keeps it so. */
export const ALERTS: Readonly<Record<string, readonly Alert[]>> = {
  'plexus.services': [
    ...SERVICES.map(
      (service): Alert => ({
        alert: `PlexusNo${service[0]?.toUpperCase()}${service.slice(1)}`,
        expr: `absent(${series('serviceReady', { [SERVICE]: service })} == 1)`,
        for: '2m',
        severity: 'page',
        summary: `No replica of ${service} is ready.`,
      }),
    ),
    {
      alert: 'PlexusReplicaNotReady',
      expr: `${series('serviceReady')} == 0`,
      for: '10m',
      severity: 'ticket',
      summary: 'A replica has not been ready for ten minutes.',
    },
    { alert: 'PlexusNatsDisconnected', expr: `${series('natsConnected')} == 0`, for: '1m', severity: 'page', summary: 'A process has no connection to NATS.' },
    {
      alert: 'PlexusNatsReconnects',
      expr: `${increase('natsReconnects', [SERVICE])} > 5`,
      for: '5m',
      severity: 'ticket',
      summary: 'Connections to NATS are lost again and again.',
    },
    {
      alert: 'PlexusCallsFailing',
      expr: `${rate('rpcServed', [SERVICE], { outcome: 'error', code: OUR_FAULT })} / ${rate('rpcServed', [SERVICE])} > 0.05`,
      for: '10m',
      severity: 'page',
      summary: 'More than one call in twenty fails for a reason that is not the caller.',
    },
    {
      alert: 'PlexusCallsSlow',
      expr: `${quantile(0.99, 'rpcServedSeconds', [SERVICE])} > 2`,
      for: '15m',
      severity: 'ticket',
      summary: 'One call in a hundred takes more than two seconds.',
    },
    {
      alert: 'PlexusDatabaseSlow',
      expr: `${quantile(0.99, 'databaseSeconds', [SERVICE])} > 1`,
      for: '15m',
      severity: 'ticket',
      summary: 'One query in a hundred takes more than a second.',
    },
    {
      alert: 'PlexusEventLoopBlocked',
      expr: `max by (${SERVICE}) (${series('eventLoopLag', { quantile: '0.99' })}) > 0.5`,
      for: '10m',
      severity: 'ticket',
      summary: 'A process is busy with one thing for half a second at a time.',
    },
    {
      alert: 'PlexusUnhandledRejections',
      expr: happened('unhandledRejections', [SERVICE, 'class'], { class: 'fatal|unknown' }),
      for: '0m',
      severity: 'ticket',
      summary: 'An error reached nobody: a defect.',
    },
    {
      alert: 'PlexusConfigInvalid',
      expr: happened('configUpdates', [SERVICE, 'document'], { outcome: 'invalid' }),
      for: '0m',
      severity: 'ticket',
      summary: 'A configuration was refused; the one before it holds.',
    },
  ],
  'plexus.messages': [
    {
      alert: 'PlexusMessagesParked',
      expr: happened('messagesConsumed', ['consumer'], { outcome: 'park' }),
      for: '0m',
      severity: 'ticket',
      summary: 'Messages became dead letters.',
    },
    {
      alert: 'PlexusMessagesRetried',
      // One that has never done anything has no series of what was done to be compared with.
      expr: `${FAILED} > ${DONE} or (${FAILED} unless ${DONE}) > 0`,
      for: '15m',
      severity: 'page',
      summary: 'A consumer fails more often than it succeeds.',
    },
    {
      alert: 'PlexusOutboxStuck',
      expr: `max by (${SERVICE}) (${series('outboxPending')}) > 1000`,
      for: '10m',
      severity: 'page',
      summary: 'Facts are committed and not published.',
    },
  ],
  'plexus.gateway': [
    {
      alert: 'PlexusConnectionsFell',
      expr: `sum(${series('connections')}) < 0.5 * sum(${series('connections')} offset 15m) and sum(${series('connections')} offset 15m) > 100`,
      for: '5m',
      severity: 'page',
      summary: 'Half of all connections went within a quarter of an hour.',
    },
    {
      alert: 'PlexusTokensRejected',
      expr: `${rate('tokensVerified', [SERVICE], { outcome: 'rejected' })} > 5`,
      for: '10m',
      severity: 'ticket',
      summary: 'Many credentials are refused: a rotation gone wrong, or somebody guessing.',
    },
  ],
  'plexus.runs': [
    {
      alert: 'PlexusRunsFailing',
      expr: `sum(rate(${series('runs', { outcome: 'error|timeout' })}[15m])) / sum(rate(${series('runs')}[15m])) > 0.2`,
      for: '15m',
      severity: 'page',
      summary: 'More than one run in five fails.',
    },
    {
      alert: 'PlexusChannelBreakerOpened',
      expr: happened('breakerTransitions', ['channel'], { change: 'opened' }),
      for: '0m',
      severity: 'ticket',
      summary: 'Sends of a channel fail so often that they are held back.',
    },
    {
      alert: 'PlexusChannelDown',
      expr: `sum by (adapter) (${series('channelAccounts', { state: 'down' })}) > 0`,
      for: '10m',
      severity: 'ticket',
      summary: 'An account of a channel cannot be used.',
    },
  ],
  'plexus.push': [
    {
      alert: 'PlexusPushSendsRefused',
      expr: `${increase('pushSends', ['channel'], { outcome: 'refused' })} > 10`,
      for: '5m',
      severity: 'ticket',
      summary: 'A provider refuses what is sent to people.',
    },
    {
      alert: 'PlexusDispatchesFailing',
      expr: `${increase('pushDispatches', ['result'], { result: 'failed' })} > 5`,
      for: '15m',
      severity: 'ticket',
      summary: 'Schedules or dispatch rules start runs that fail.',
    },
  ],
  'plexus.memory': [
    {
      alert: 'PlexusEmbeddingsBehind',
      expr: `max(${series('embeddingsPending')}) > 10000`,
      for: '30m',
      severity: 'ticket',
      summary: 'New memories are found by words only: their vectors are not made.',
    },
    {
      alert: 'PlexusMemorySearchSlow',
      expr: `${quantile(0.99, 'memorySearchSeconds')} > 1`,
      for: '15m',
      severity: 'ticket',
      summary: 'One search in a hundred takes more than a second.',
    },
  ],
  'plexus.vms': [
    {
      alert: 'PlexusVmsNotProvisioned',
      expr: `${increase('vmProvisionFailures', ['provider', 'reason'])} > 5`,
      for: '5m',
      severity: 'page',
      summary: 'VMs cannot be started.',
    },
    {
      alert: 'PlexusVmLeasesOld',
      expr: `max(${series('vmLeaseAge')}) > 45`,
      for: '2m',
      severity: 'page',
      summary: 'A lease is about to run out: runtimes are not heard, or the scheduler is not.',
    },
    {
      alert: 'PlexusVmOrphans',
      expr: `${increase('vmOrphansReaped', ['reason'])} > 3`,
      for: '0m',
      severity: 'ticket',
      summary: 'Programs ran that belong to no VM, and were ended.',
    },
    {
      alert: 'PlexusVmQuotaDenied',
      expr: happened('vmQuotaDenied', [SERVICE]),
      for: '0m',
      severity: 'ticket',
      summary: 'A tenant may not have another VM.',
    },
  ],
};
