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

const TAKEN = /EADDRINUSE|address already in use/i;
/** Behind the address in the message of the system, or as a field of Node's error. */
const PORT = /address already in use [^\s]*?:(\d{2,5})\b|\bport["']?: ?(\d{2,5})\b/i;

export function isPortTaken(error: unknown): boolean {
  return error instanceof StartError && error.code === 'PORT_TAKEN';
}

/** The error of a program whose log says that somebody else listens where it has to; undefined when it says no such thing. */
export function portTaken(name: string, log: string, known?: number): StartError | undefined {
  if (!TAKEN.test(log)) return undefined;
  const found = PORT.exec(log);
  const port = known ?? found?.[1] ?? found?.[2];
  const what = port === undefined ? 'its port is taken by another program' : `port ${port} is taken by another program`;
  const look = port === undefined ? '`ss -ltnp`' : `\`ss -ltnp 'sport = :${port}'\``;
  return new StartError('PORT_TAKEN', `${name} cannot listen: ${what}.`, `${look} shows which. Stop it, or choose another port, and start again.`);
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
