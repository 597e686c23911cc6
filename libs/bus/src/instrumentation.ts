import { counter, extractContext, gauge, histogram, injectHeaders, linksTo, SpanKind, telemetryIsRegistered, withSpan } from '@plexus/telemetry';
import type { OutgoingHeaders, ReadHeaders } from './wire-headers.js';

const rpcServed = counter('rpcServed');
const rpcServedSeconds = histogram('rpcServedSeconds');
const rpcCalled = counter('rpcCalled');
const rpcCalledSeconds = histogram('rpcCalledSeconds');
const published = counter('messagesPublished');
const consumed = counter('messagesConsumed');
const messageSeconds = histogram('messageSeconds');
const inFlight = gauge('messagesInFlight');
const connected = gauge('natsConnected');
const reconnects = counter('natsReconnects');

/** Writes the active span into headers; nothing when this process is not traced. */
export function injectTrace(headers: OutgoingHeaders): void {
  if (telemetryIsRegistered()) injectHeaders((name, value) => headers.set(name, value));
}

/** The active span as header fields, for events that are stored before they are sent. */
export function traceFields(): Record<string, string> {
  const fields: Record<string, string> = {};
  if (telemetryIsRegistered()) {
    injectHeaders((name, value) => {
      fields[name] = value;
    });
  }
  return fields;
}

/** Runs the asking side of a call within a client span. */
export function spanOfCall<T>(contract: string, fn: () => Promise<T>): Promise<T> {
  if (!telemetryIsRegistered()) return fn();
  return withSpan(`call ${contract}`, { kind: SpanKind.CLIENT, attributes: { 'rpc.method': contract } }, fn);
}

/** Runs the answering side within a server span, child of the caller's. */
export function spanOfServing<T>(contract: string, headers: ReadHeaders, fn: () => Promise<T>): Promise<T> {
  if (!telemetryIsRegistered()) return fn();
  const parent = extractContext((name) => headers.get(name));
  return withSpan(`serve ${contract}`, { kind: SpanKind.SERVER, parent, attributes: { 'rpc.method': contract } }, fn);
}

/** Runs the handling of one message within a consumer span, linked to its publisher: an event may be read long after it was written. */
export function spanOfDelivery<T>(consumer: string, headers: ReadHeaders, attempt: number, fn: () => Promise<T>): Promise<T> {
  if (!telemetryIsRegistered()) return fn();
  const publisher = extractContext((name) => headers.get(name));
  const attributes = { 'messaging.consumer': consumer, 'messaging.attempt': attempt };
  return withSpan(`handle ${consumer}`, { kind: SpanKind.CONSUMER, parent: publisher, links: linksTo(publisher), attributes }, fn);
}

/** Runs a publish within a producer span. */
export function spanOfPublish<T>(contract: string, fn: () => Promise<T>): Promise<T> {
  if (!telemetryIsRegistered()) return fn();
  return withSpan(`publish ${contract}`, { kind: SpanKind.PRODUCER, attributes: { 'messaging.contract': contract } }, fn);
}

export function countServed(contract: string, code: string | undefined, ms: number): void {
  if (!telemetryIsRegistered()) return;
  rpcServed.add(1, { contract, outcome: code === undefined ? 'ok' : 'error', code: code ?? 'ok' });
  rpcServedSeconds.record(ms / 1_000, { contract });
}

export function countCalled(contract: string, code: string | undefined, ms: number): void {
  if (!telemetryIsRegistered()) return;
  rpcCalled.add(1, { contract, outcome: code === undefined ? 'ok' : 'error', code: code ?? 'ok' });
  rpcCalledSeconds.record(ms / 1_000, { contract });
}

export function countPublished(contract: string, outcome: 'stored' | 'duplicate' | 'error'): void {
  published.add(1, { contract, outcome });
}

export function countConsumed(consumer: string, outcome: 'done' | 'retry' | 'park' | 'error', ms: number, nowInFlight: number): void {
  if (!telemetryIsRegistered()) return;
  consumed.add(1, { consumer, outcome });
  messageSeconds.record(ms / 1_000, { consumer });
  inFlight.record(nowInFlight, { consumer });
}

export function recordConnected(isConnected: boolean): void {
  connected.record(isConnected ? 1 : 0);
}

export function countReconnect(): void {
  reconnects.add(1);
}
