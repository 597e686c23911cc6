import { type Attributes, metrics, type ObservableResult } from '@opentelemetry/api';
import type pg from 'pg';

/** Reports the pool's connections (in use, idle) and waiting callers until the returned function is called. */
export function observePool(pool: pg.Pool, schema: string, maxWaiting: number): () => void {
  const meter = metrics.getMeter('plexus.database');
  const connections = meter.createObservableGauge('plexus_database_connections', { description: 'Connections of the pool, by state.' });
  const waiting = meter.createObservableGauge('plexus_database_waiting', { description: `Callers waiting for a connection, at most ${maxWaiting}.` });
  const labels: Attributes = { schema };
  const observeConnections = (result: ObservableResult) => {
    result.observe(pool.idleCount, { ...labels, state: 'idle' });
    result.observe(pool.totalCount - pool.idleCount, { ...labels, state: 'used' });
  };
  const observeWaiting = (result: ObservableResult) => result.observe(pool.waitingCount, labels);
  connections.addCallback(observeConnections);
  waiting.addCallback(observeWaiting);
  return () => {
    connections.removeCallback(observeConnections);
    waiting.removeCallback(observeWaiting);
  };
}
