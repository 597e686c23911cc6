/** `/stop`, in a group also `/stop@the_bot` or behind a mention of the bot. Each text can be read in one way only: the time that it takes grows with its length. */
const STOP = /^(?:(?:<@[^\s<>]+>[:,]?|@[^\s<>]+)\s+)*\/stop(?:@\w+)?$/i;

/** Whether somebody asks to end what runs, instead of saying something that an agent should answer. */
export function isStopCommand(text: string): boolean {
  return STOP.test(text.trim());
}

/** What whoever asked for it is answered. */
export function stopAnswer({ running, waiting }: { readonly running: number; readonly waiting: number }): string {
  const dropped = waiting === 0 ? '' : waiting === 1 ? 'One message that waited was dropped.' : `${waiting} messages that waited were dropped.`;
  if (running === 0) return dropped === '' ? 'Nothing is running here.' : dropped;
  return dropped === '' ? 'Stopped.' : `Stopped. ${dropped}`;
}
