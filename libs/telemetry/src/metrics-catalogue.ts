/** Kinds of instruments; an `observed` one is read at scrape time from a callback. */
export type InstrumentKind = 'counter' | 'gauge' | 'histogram' | 'observed-gauge' | 'observed-counter';

/** One row of the catalogue. */
export interface MetricDefinition {
  /** Name as Prometheus shows it; counters end in `_total`, durations are seconds. */
  readonly name: string;
  readonly kind: InstrumentKind;
  readonly unit: string;
  readonly help: string;
  /** Label names with their whole vocabulary; `'contract'` and the like mean the small closed set named there. Never tenants, users, subjects or ids. */
  readonly labels: Readonly<Record<string, readonly string[] | string>>;
}

const define = <const T extends Record<string, MetricDefinition>>(table: T): T => table;

const OUTCOME = ['ok', 'error'] as const;

/** Every metric of Plexus: this table is the only place where a name or a label is declared. */
export const METRIC_CATALOGUE = define({
  processResidentMemory: {
    name: 'process_resident_memory_bytes',
    kind: 'observed-gauge',
    unit: 'By',
    help: 'Resident set size.',
    labels: {},
  },
  processHeapUsed: { name: 'nodejs_heap_size_used_bytes', kind: 'observed-gauge', unit: 'By', help: 'Used part of the JavaScript heap.', labels: {} },
  processHeapTotal: { name: 'nodejs_heap_size_total_bytes', kind: 'observed-gauge', unit: 'By', help: 'Size of the JavaScript heap.', labels: {} },
  processExternalMemory: {
    name: 'nodejs_external_memory_bytes',
    kind: 'observed-gauge',
    unit: 'By',
    help: 'Memory of buffers and native objects tied to JavaScript objects.',
    labels: {},
  },
  processCpu: {
    name: 'process_cpu_seconds_total',
    kind: 'observed-counter',
    unit: 's',
    help: 'Processor time since the start.',
    labels: { mode: ['user', 'system'] },
  },
  eventLoopLag: {
    name: 'nodejs_eventloop_lag_seconds',
    kind: 'observed-gauge',
    unit: 's',
    help: 'Delay of the event loop since the last scrape.',
    labels: { quantile: ['0.5', '0.99', 'max'] },
  },
  processStart: { name: 'process_start_time_seconds', kind: 'observed-gauge', unit: 's', help: 'Start of the process, as Unix time.', labels: {} },
  spansDropped: {
    name: 'plexus_spans_dropped_total',
    kind: 'counter',
    unit: '{span}',
    help: 'Spans that were not written: by the file exporter, or because a VM may not report them (forged, too many, lost in the VM).',
    labels: { reason: ['queue-full', 'write-failed', 'vm-unknown-trace', 'vm-rate', 'vm-lost'] },
  },

  rpcServed: {
    name: 'plexus_rpc_served_total',
    kind: 'counter',
    unit: '{call}',
    help: 'Answered calls.',
    labels: { contract: 'names in libs/contracts', outcome: [...OUTCOME], code: 'ERROR_CODES, or ok' },
  },
  rpcServedSeconds: {
    name: 'plexus_rpc_served_seconds',
    kind: 'histogram',
    unit: 's',
    help: 'Time from the arrival of a call to its answer.',
    labels: { contract: 'names in libs/contracts' },
  },
  rpcCalled: {
    name: 'plexus_rpc_called_total',
    kind: 'counter',
    unit: '{call}',
    help: 'Calls to other services.',
    labels: { contract: 'names in libs/contracts', outcome: [...OUTCOME], code: 'ERROR_CODES, or ok' },
  },
  rpcCalledSeconds: {
    name: 'plexus_rpc_called_seconds',
    kind: 'histogram',
    unit: 's',
    help: 'Time from a call to its answer, as the caller sees it.',
    labels: { contract: 'names in libs/contracts' },
  },
  messagesPublished: {
    name: 'plexus_messages_published_total',
    kind: 'counter',
    unit: '{message}',
    help: 'Messages handed to JetStream.',
    labels: { contract: 'names in libs/contracts', outcome: ['stored', 'duplicate', 'error'] },
  },
  messagesConsumed: {
    name: 'plexus_messages_consumed_total',
    kind: 'counter',
    unit: '{message}',
    help: 'Deliveries by how they ended.',
    labels: { consumer: 'names in libs/contracts', outcome: ['done', 'retry', 'park', 'error'] },
  },
  messageSeconds: {
    name: 'plexus_message_handling_seconds',
    kind: 'histogram',
    unit: 's',
    help: 'Time that a handler took for one delivery.',
    labels: { consumer: 'names in libs/contracts' },
  },
  messagesInFlight: {
    name: 'plexus_messages_in_flight',
    kind: 'gauge',
    unit: '{message}',
    help: 'Deliveries being handled.',
    labels: { consumer: 'names in libs/contracts' },
  },
  natsConnected: { name: 'plexus_nats_connected', kind: 'gauge', unit: '1', help: '1 while the connection to NATS is up.', labels: {} },
  natsReconnects: { name: 'plexus_nats_reconnects_total', kind: 'counter', unit: '{reconnect}', help: 'Reconnects to NATS.', labels: {} },

  outboxPending: { name: 'plexus_outbox_pending', kind: 'gauge', unit: '{row}', help: 'Outbox rows that are not published yet.', labels: {} },
  outboxPublished: {
    name: 'plexus_outbox_published_total',
    kind: 'counter',
    unit: '{row}',
    help: 'Outbox rows published.',
    labels: { outcome: ['stored', 'duplicate', 'error'] },
  },
  databaseTransactions: {
    name: 'plexus_database_transactions_total',
    kind: 'counter',
    unit: '{transaction}',
    help: 'Transactions by how they ended.',
    labels: { outcome: ['committed', 'rolled-back', 'retried'] },
  },
  databaseSeconds: {
    name: 'plexus_database_query_seconds',
    kind: 'histogram',
    unit: 's',
    help: 'Time of one query, waiting for a connection included.',
    labels: {},
  },

  tokensMinted: { name: 'plexus_tokens_minted_total', kind: 'counter', unit: '{token}', help: 'Principal tokens signed (cache misses).', labels: {} },
  tokensVerified: {
    name: 'plexus_tokens_verified_total',
    kind: 'counter',
    unit: '{token}',
    help: 'Principal tokens checked, by where the answer came from and what it was.',
    labels: { outcome: ['cached', 'accepted', 'rejected', 'revoked', 'undecided'] },
  },
  signingKeyReads: {
    name: 'plexus_signing_key_reads_total',
    kind: 'counter',
    unit: '{read}',
    help: 'Look-ups of a public key in PLEXUS_KEYS.',
    labels: { outcome: ['found', 'unknown', 'error'] },
  },
  configUpdates: {
    name: 'plexus_config_updates_total',
    kind: 'counter',
    unit: '{update}',
    help: 'Documents of PLEXUS_CONFIG seen; an invalid one leaves the last good one in force.',
    labels: { document: ['platform', 'tenant'], outcome: ['applied', 'invalid', 'deleted'] },
  },
  configReloads: {
    name: 'plexus_config_reloads_total',
    kind: 'counter',
    unit: '{reload}',
    help: 'Passes that brought a changed configuration into force in this process.',
    labels: { outcome: ['applied', 'unchanged', 'off', 'failed'] },
  },
  unhandledRejections: {
    name: 'plexus_unhandled_rejections_total',
    kind: 'counter',
    unit: '{rejection}',
    help: 'Promise rejections that nobody handled.',
    labels: { class: ['abort', 'fatal', 'config', 'transient', 'unknown'] },
  },
  serviceReady: { name: 'plexus_service_ready', kind: 'observed-gauge', unit: '1', help: '1 while /readyz answers 200.', labels: {} },

  connections: {
    name: 'plexus_connections',
    kind: 'gauge',
    unit: '{connection}',
    help: 'Open sockets.',
    labels: { kind: ['client', 'node', 'vm', 'sse'] },
  },
  connectionsClosed: {
    name: 'plexus_connections_closed_total',
    kind: 'counter',
    unit: '{connection}',
    help: 'Sockets closed.',
    labels: { kind: ['client', 'node', 'vm', 'sse'], code: 'close code table' },
  },
  inboxRecentForgotten: {
    name: 'plexus_inbox_recent_forgotten_total',
    kind: 'counter',
    unit: '{user}',
    help: 'Users whose newest inbox items were forgotten early, because those of all users were too many for one process.',
    labels: {},
  },
  framesSent: {
    name: 'plexus_frames_sent_total',
    kind: 'counter',
    unit: '{frame}',
    help: 'Frames written to sockets.',
    labels: { kind: ['client', 'node', 'vm', 'sse'] },
  },
  framesReceived: {
    name: 'plexus_frames_received_total',
    kind: 'counter',
    unit: '{frame}',
    help: 'Frames read from sockets.',
    labels: { kind: ['client', 'node', 'vm', 'sse'] },
  },
  runs: {
    name: 'plexus_runs_total',
    kind: 'counter',
    unit: '{run}',
    help: 'Runs by how they ended.',
    labels: { outcome: ['ok', 'error', 'cancelled', 'timeout'] },
  },
  runSeconds: { name: 'plexus_run_seconds', kind: 'histogram', unit: 's', help: 'Time from the acceptance of a run to its end.', labels: {} },
  channelMessages: {
    name: 'plexus_channel_messages_total',
    kind: 'counter',
    unit: '{message}',
    help: 'Messages of channels by what became of them; `not-mirrored` counts sent ones that their session does not show.',
    labels: { outcome: ['accepted', 'duplicate', 'refused', 'not-configured', 'not-mirrored'] },
  },
  deliveries: {
    name: 'plexus_deliveries_total',
    kind: 'counter',
    unit: '{attempt}',
    help: 'Attempts to send to channels by outcome and classified reason; `dead` counts messages that were given up.',
    labels: { channel: 'configured channels', outcome: ['sent', 'failed', 'dead'], reason: 'failure reasons in libs/routing-core' },
  },
  breakerTransitions: {
    name: 'plexus_channel_breaker_transitions_total',
    kind: 'counter',
    unit: '{transition}',
    help: 'Breakers of channel accounts that changed their state.',
    labels: { channel: 'configured channels', change: ['opened', 'half-opened', 'closed'] },
  },
  vms: { name: 'plexus_vms', kind: 'gauge', unit: '{vm}', help: 'VMs by state.', labels: { state: 'states of a VM in libs/contracts' } },
  vmTransitions: {
    name: 'plexus_vm_transitions_total',
    kind: 'counter',
    unit: '{transition}',
    help: 'Edges of the VM state machine taken.',
    labels: { from: 'states of a VM in libs/contracts', to: 'states of a VM in libs/contracts', cause: 'causes in services/scheduler/src/domain' },
  },
  vmEnsureSeconds: {
    name: 'plexus_vm_ensure_seconds',
    kind: 'histogram',
    unit: 's',
    help: 'Time until an ensured VM was ready, by what had to be done.',
    labels: { path: ['live', 'warm', 'resume', 'cold'] },
  },
  vmProvisionFailures: {
    name: 'plexus_vm_provision_failures_total',
    kind: 'counter',
    unit: '{start}',
    help: 'Starts of VMs that failed.',
    labels: { provider: ['local', 'external', 'docker', 'kubernetes', 'fake', 'unknown'], reason: 'reason codes of VMs' },
  },
  vmLeaseAge: { name: 'plexus_vm_lease_age_seconds', kind: 'gauge', unit: 's', help: 'Age of the oldest heartbeat among VMs that are ready.', labels: {} },
  vmFencedMessages: {
    name: 'plexus_vm_fenced_messages_total',
    kind: 'counter',
    unit: '{message}',
    help: 'Messages of old incarnations that were refused.',
    labels: {},
  },
  vmOrphansReaped: {
    name: 'plexus_vm_orphans_reaped_total',
    kind: 'counter',
    unit: '{instance}',
    help: 'Instances that no record knew and that were ended; `refused`: there were too many to believe it.',
    labels: { reason: ['no-record', 'refused'] },
  },
  vmPoolReady: { name: 'plexus_vm_pool_ready', kind: 'gauge', unit: '{vm}', help: 'Members of warm pools that wait for an owner.', labels: {} },
  vmPoolDesired: { name: 'plexus_vm_pool_desired', kind: 'gauge', unit: '{vm}', help: 'Members that warm pools should have.', labels: {} },
  vmPoolHits: { name: 'plexus_vm_pool_hit_total', kind: 'counter', unit: '{vm}', help: 'VMs that came from a warm pool.', labels: {} },
  vmQuotaDenied: { name: 'plexus_vm_quota_denied_total', kind: 'counter', unit: '{request}', help: 'VMs refused because of a quota.', labels: {} },
  pushDecisions: {
    name: 'plexus_push_decisions_total',
    kind: 'counter',
    unit: '{decision}',
    help: 'Decisions of push about one event and one user.',
    labels: { action: ['deliver', 'digest', 'suppress', 'duplicate'] },
  },
  pushMeanings: {
    name: 'plexus_push_meanings_total',
    kind: 'counter',
    unit: '{event}',
    help: 'Events that were compared with interests in words, and what became of it.',
    labels: { result: ['semantic', 'unavailable', 'reranked', 'rerank_failed'] },
  },
  pushFirings: {
    name: 'plexus_push_firings_total',
    kind: 'counter',
    unit: '{firing}',
    help: 'Due times of schedules.',
    labels: { result: ['due', 'caught_up', 'manual', 'skipped'] },
  },
  pushDispatches: {
    name: 'plexus_push_dispatches_total',
    kind: 'counter',
    unit: '{run}',
    help: 'Research runs: made, ended, or refused because of a budget or a loop.',
    labels: { result: ['made', 'done', 'failed', 'refused'] },
  },
  pushSends: {
    name: 'plexus_push_sends_total',
    kind: 'counter',
    unit: '{attempt}',
    help: 'Attempts of push to send a delivery over a channel outside the inbox; `held`: not attempted, its budget or breaker said no.',
    labels: { channel: ['session', 'webhook', 'email', 'webpush'], outcome: ['sent', 'retry', 'refused', 'gone', 'unconfigured', 'held'] },
  },
  channelReceived: {
    name: 'plexus_channel_received_total',
    kind: 'counter',
    unit: '{message}',
    help: 'Messages that platforms handed to channel adapters, by what became of them.',
    labels: { adapter: 'names of channel adapters', outcome: ['stored', 'duplicate', 'error'] },
  },
  channelSends: {
    name: 'plexus_channel_sends_total',
    kind: 'counter',
    unit: '{attempt}',
    help: 'Attempts to hand a message to a platform. `repeated`: the result was known from before.',
    labels: { adapter: 'names of channel adapters', outcome: ['ok', 'error', 'repeated'] },
  },
  channelAccounts: {
    name: 'plexus_channel_accounts',
    kind: 'observed-gauge',
    unit: '{account}',
    help: 'Configured accounts by the state of their connection.',
    labels: { adapter: 'names of channel adapters', state: ['up', 'degraded', 'down', 'connecting'] },
  },
  memoriesWritten: {
    name: 'plexus_memories_written_total',
    kind: 'counter',
    unit: '{memory}',
    help: 'Memory writes by result.',
    labels: { result: ['created', 'duplicate', 'replayed', 'error'] },
  },
  memorySearchSeconds: { name: 'plexus_memory_search_seconds', kind: 'histogram', unit: 's', help: 'Time of one search.', labels: {} },
  embeddingsPending: { name: 'plexus_embeddings_pending', kind: 'gauge', unit: '{memory}', help: 'Memories waiting for their embedding.', labels: {} },
});

export type MetricKey = keyof typeof METRIC_CATALOGUE;

/** Names by key: `METRICS.rpcServed === 'plexus_rpc_served_total'`. */
export const METRICS = Object.fromEntries(Object.entries(METRIC_CATALOGUE).map(([key, definition]) => [key, definition.name])) as {
  readonly [K in MetricKey]: (typeof METRIC_CATALOGUE)[K]['name'];
};
