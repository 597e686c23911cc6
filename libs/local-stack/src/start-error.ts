/** Something the local stack needs is missing or in the way. `message` says what, `hint` what the reader can do about it. */
export class StartError extends Error {
  override readonly name = 'StartError';

  constructor(
    readonly code: StartErrorCode,
    message: string,
    readonly hint?: string,
    options?: { cause?: unknown },
  ) {
    super(hint === undefined ? message : `${message}\n${hint}`, options);
  }
}

export type StartErrorCode =
  | 'NATS_SERVER_MISSING'
  | 'POSTGRES_MISSING'
  | 'PORT_TAKEN'
  | 'ALREADY_RUNNING'
  | 'STATE_UNREADABLE'
  | 'PROCESS_FAILED'
  | 'PROCESS_NOT_READY'
  | 'SETTING_INVALID'
  | 'STOPPED';
