/** Exit codes of the command; scripts may rely on them. */
export const EXIT = {
  ok: 0,
  /** The command ran and failed. */
  failed: 1,
  /** The words of the call are off. */
  usage: 2,
  /** No mesh, NATS or gateway could be reached. */
  unreachable: 3,
  /** The command ran well and found something to act on: differences, invalid input, unhealthy services. */
  findings: 4,
} as const;

/** An expected failure: printed as one sentence (and a hint), never as a stack. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';

  constructor(
    message: string,
    readonly exitCode: number = EXIT.failed,
    /** What to do next. */
    readonly hint?: string,
    readonly code = 'FAILED',
  ) {
    super(message);
  }
}
