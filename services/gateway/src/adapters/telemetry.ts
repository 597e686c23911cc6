import type { LoggerService } from '@nestjs/common';
import type { ServiceMetrics } from '@plexus/service-kit';
import { extractContext, SpanKind, withSpan } from '@plexus/telemetry';
import type { Logger } from 'pino';
import type { Traced } from '../application/request-dispatcher.js';
import type { EventStreamMetrics } from './http/event-streams.js';
import type { SocketMetrics } from './ws/client-endpoint.js';

const TELL_AFTER_MS = 200;

/** One span per request of a client, continuing the trace that it sent along. */
export const traced: Traced = (method, traceparent, work) =>
  withSpan(
    `gateway ${method}`,
    {
      kind: SpanKind.SERVER,
      attributes: { 'rpc.system': 'openclaw-gateway', 'rpc.method': method },
      parent: extractContext((name) => (name === 'traceparent' ? traceparent : undefined)),
    },
    work,
  );

/** A broadcast counts ten thousand frames in one turn: they are added up, and told to the instrument once. */
function countedLater(counter: ReturnType<ServiceMetrics['counter']>): (kind: 'client' | 'vm') => void {
  const open = { client: 0, vm: 0 };
  let scheduled = false;
  const tell = () => {
    scheduled = false;
    for (const kind of ['client', 'vm'] as const) {
      if (open[kind] > 0) counter.add(open[kind], { kind });
      open[kind] = 0;
    }
  };
  return (kind) => {
    open[kind] += 1;
    if (scheduled) return;
    scheduled = true;
    setTimeout(tell, TELL_AFTER_MS).unref();
  };
}

/** Counts sockets and frames in the catalogued instruments. */
export function socketMetrics({ counter, gauge }: ServiceMetrics): SocketMetrics & { readonly streams: EventStreamMetrics } {
  const connections = gauge('connections');
  const closed = counter('connectionsClosed');
  const frames = { sent: countedLater(counter('framesSent')), received: countedLater(counter('framesReceived')) };
  const open = { client: 0, vm: 0, sse: 0 };
  const move = (kind: keyof typeof open, by: 1 | -1) => {
    open[kind] += by;
    connections.record(open[kind], { kind });
  };
  return {
    opened: (kind) => move(kind, 1),
    closed: (kind, code) => {
      move(kind, -1);
      closed.add(1, { kind, code });
    },
    frame: (kind, direction) => frames[direction](kind),
    streams: {
      opened: () => move('sse', 1),
      closed: () => move('sse', -1),
    },
  };
}

/** Nest's own lines in our log: what it says while it starts is detail. */
export function nestLogger(log: Logger): LoggerService {
  return {
    log: (message: unknown) => log.debug(String(message)),
    debug: (message: unknown) => log.debug(String(message)),
    verbose: (message: unknown) => log.trace(String(message)),
    warn: (message: unknown) => log.warn(String(message)),
    error: (message: unknown, stack?: unknown) => log.error({ stack }, String(message)),
    fatal: (message: unknown) => log.fatal(String(message)),
  };
}
