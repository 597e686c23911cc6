import type { RoutingStore } from './ports.js';

const STEER_ID = /^steer:(.{1,256})$/s;

/** Run id of the further message that a `steer_accepted` is about: the runtime repeats the id of its command. Undefined: it is about nobody's. */
export function steeredRunId(messageId: unknown): string | undefined {
  return typeof messageId === 'string' ? STEER_ID.exec(messageId)?.[1] : undefined;
}

/** A running run took a further message along: that one is answered with it, and is not asked again afterwards. */
export class ConfirmSteer {
  constructor(private readonly store: Pick<RoutingStore, 'confirmSteer'>) {}

  /** `messageId`: id of the command as the runtime repeats it, `steer:<run id of the message>`; anything else is of nobody. `activeRunId`: the run that says so. */
  async execute(tenant: string, sessionId: string, activeRunId: string | undefined, messageId: unknown): Promise<void> {
    const runId = steeredRunId(messageId);
    if (runId !== undefined && activeRunId !== undefined) await this.store.confirmSteer(tenant, sessionId, { runId, activeRunId });
  }
}
