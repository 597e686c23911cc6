/** What this library needs of a logger; pino's loggers fit. */
export interface DatabaseLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const silentLog: DatabaseLog = { info: () => undefined, warn: () => undefined, error: () => undefined };
