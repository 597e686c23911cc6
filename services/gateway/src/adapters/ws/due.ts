/** When something has to be done about a socket next; whole milliseconds of the monotonic clock. */
export interface Due {
  tickAt: number;
  pingAt: number;
  pongBy: number;
  helloBy: number;
}
