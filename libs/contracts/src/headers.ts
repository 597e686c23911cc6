/** Names of NATS headers that Plexus reads or writes. Nothing secret travels in a header but the short-lived principal token. */
export const HEADERS = {
  auth: 'Plexus-Auth',
  deadline: 'Plexus-Deadline',
  messageId: 'Nats-Msg-Id',
  traceparent: 'traceparent',
  tracestate: 'tracestate',
  errorCode: 'Nats-Service-Error-Code',
  errorText: 'Nats-Service-Error',
  dlqReason: 'Plexus-Dlq-Reason',
  dlqCode: 'Plexus-Dlq-Code',
  dlqAttempts: 'Plexus-Dlq-Attempts',
  dlqSubject: 'Plexus-Dlq-Subject',
  dlqStream: 'Plexus-Dlq-Stream',
  dlqSequence: 'Plexus-Dlq-Sequence',
  dlqConsumer: 'Plexus-Dlq-Consumer',
  dlqTime: 'Plexus-Dlq-Time',
} as const;
