import { textMessage } from '@plexus/client-protocol';
import type { routingContracts } from '@plexus/contracts';

/** The end of a run as `chat.send` repeats it: the same for every later call with its key. */
export function outcomeOf(run: routingContracts.RunSummary) {
  const endedAt = run.endedAt === undefined ? undefined : Date.parse(run.endedAt);
  return {
    runId: run.runId,
    status: run.status,
    ...(run.text === undefined ? {} : { message: textMessage('assistant', run.text, endedAt ?? Date.parse(run.createdAt)) }),
    ...(run.error === undefined ? {} : { error: run.error }),
    ...(endedAt === undefined ? {} : { endedAt }),
  };
}

/** True when nothing more will happen in the run. */
export function hasEnded(run: routingContracts.RunSummary): boolean {
  return run.status !== 'queued' && run.status !== 'started';
}
