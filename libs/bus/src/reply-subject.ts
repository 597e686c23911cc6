/**
 * Whether somebody may be answered there. The server lets whoever serves publish to the reply subject of what it received, whatever that is: without this check
 * a caller could have a service write where the caller itself may not.
 */
export function isInbox(reply: string | undefined): reply is string {
  return reply?.startsWith('_INBOX') === true;
}
