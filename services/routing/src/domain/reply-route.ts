/** Where an answer goes: as an adapter addresses it. */
export interface ReplyRoute {
  readonly channel: string;
  /** Account that the message came in on; tried first. */
  readonly accountId: string;
  /** Chat of the platform. */
  readonly to: string;
  readonly chatKind?: 'dm' | 'group' | 'channel' | undefined;
  readonly threadId?: string | undefined;
  readonly replyToId?: string | undefined;
}

/** Messages that are answered in the same place may be answered together. */
export function sameReplyPlace(route: ReplyRoute | undefined): string {
  return route === undefined ? '' : JSON.stringify([route.channel, route.accountId, route.to, route.threadId ?? '']);
}
