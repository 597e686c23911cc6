import { setTimeout as sleep } from 'node:timers/promises';
import { fullJitter } from '@plexus/kernel';
import { LABELS } from './container-spec.js';
import type { DockerEngine } from './docker-engine.js';

const POLL_MS = 2_000;
const MAX_LINE = 1_048_576;

export interface ContainerWatch {
  stop(): void;
}

export interface WatchOptions {
  readonly engine: DockerEngine;
  readonly cluster: string;
  /** Something happened to the container of this VM. */
  readonly onEvent: (vmId: string) => void;
  /** Time for a look at all of them: events may have been lost. */
  readonly onPoll: () => Promise<void>;
  readonly log: { warn(fields: object, message: string): void };
}

/** Follows the engine's events, from anew whenever they end, and looks by itself every two seconds in any case. */
export function watchContainers(options: WatchOptions): ContainerWatch {
  const stopping = new AbortController();
  void follow(options, stopping.signal);
  void poll(options, stopping.signal);
  return { stop: () => stopping.abort() };
}

async function follow({ engine, cluster, onEvent, log }: WatchOptions, signal: AbortSignal): Promise<void> {
  const filters = JSON.stringify({ type: ['container'], label: [`${LABELS.cluster}=${cluster}`], event: ['die', 'oom', 'destroy', 'start'] });
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    try {
      let rest = '';
      for await (const chunk of (await engine.stream('/events', { filters }, signal)) as AsyncIterable<Buffer>) {
        attempt = 0;
        const lines = `${rest}${chunk.toString('utf8')}`.split('\n');
        rest = (lines.pop() ?? '').slice(0, MAX_LINE);
        for (const line of lines.filter((text) => text.trim() !== '')) notice(line, onEvent);
      }
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ err: error }, 'the events of the Docker engine ended; following them again');
    }
    await pause(fullJitter(attempt, { baseMs: 200, capMs: 15_000 }), signal);
  }
}

function notice(line: string, onEvent: (vmId: string) => void): void {
  const event = JSON.parse(line) as { Actor?: { Attributes?: Record<string, string> } };
  const vmId = event.Actor?.Attributes?.[LABELS.vm];
  if (vmId !== undefined) onEvent(vmId);
}

async function poll({ onPoll, log }: WatchOptions, signal: AbortSignal): Promise<void> {
  for (;;) {
    await pause(POLL_MS, signal);
    if (signal.aborted) return;
    try {
      await onPoll();
    } catch (error) {
      log.warn({ err: error }, 'containers could not be looked at');
    }
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined); // ended: the caller sees it
}
