import type { V1Pod } from '@kubernetes/client-node';
import type { Deadline } from '@plexus/kernel';
import type { ProviderObservation } from '../../application/provider-port.js';
import type { ClusterObjects } from './cluster-objects.js';
import { CONTAINER } from './pod-manifest.js';

const REASON_BYTES = 4_096;
/** The API cuts at lines, not at bytes from the end; lines are guessed to be short, and the rest is cut here. */
const BYTES_PER_LINE = 32;
const MAX_LINES = 5_000;
const MAX_BYTES = 1_048_576;
const READ_MS = 2_000;

/** The ends of logs. */
export class LastWords {
  constructor(
    private readonly objects: ClusterObjects,
    private readonly log: { warn(fields: object, message: string): void },
  ) {}

  /** At most `tailBytes` of what the runtime said last; undefined when nothing is kept. */
  async read(deadline: Deadline, pod: V1Pod, tailBytes: number): Promise<string | undefined> {
    const started = pod.status?.containerStatuses?.[0]?.state;
    if (started?.running === undefined && started?.terminated === undefined) return undefined;
    const lines = Math.min(MAX_LINES, Math.max(1, Math.ceil(tailBytes / BYTES_PER_LINE)));
    const text = await this.objects.log(deadline, pod, CONTAINER, lines, MAX_BYTES);
    return text === undefined ? undefined : tailOf(text, tailBytes);
  }

  /** Adds them to an observation. A log that cannot be read takes nothing away from what is known. */
  async addTo(deadline: Deadline, pod: V1Pod, observation: ProviderObservation): Promise<ProviderObservation> {
    try {
      const words = (await this.read(deadline.within(READ_MS), pod, REASON_BYTES))?.trim();
      if (!words) return observation;
      const reason = observation.text === undefined || words.includes(observation.text) ? '' : `${observation.text}\n`;
      return { ...observation, text: `${reason}${words}` };
    } catch (error) {
      this.log.warn({ pod: pod.metadata?.name, err: error }, 'the last words of a runtime could not be read');
      return observation;
    }
  }
}

/** The last bytes of a text, from the beginning of a character. */
function tailOf(text: string, bytes: number): string {
  const all = Buffer.from(text);
  let from = Math.max(0, all.length - bytes);
  while (from < all.length && ((all[from] as number) & 0xc0) === 0x80) from += 1;
  return all.subarray(from).toString('utf8');
}
