/** What the bus logs with; a pino logger fits. */
export interface BusLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Says nothing; for programs that do not want the bus to log. */
export const silentLog: BusLog = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
