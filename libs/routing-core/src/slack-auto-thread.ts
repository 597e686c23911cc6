import { PlexusError } from '@plexus/kernel';
import { parseSlackTarget } from './grammars/slack.js';
import { type Loose, lowered, normaliseThreadId, trimmed } from './normalise.js';

/** Where the agent is speaking just now, as its message tool sees it. */
export interface SlackToolContext {
  readonly currentChannelId?: Loose;
  readonly currentThreadTs?: Loose;
  /** `all`: every message goes into the thread; `first`: only the first one. Absent: none. */
  readonly replyToMode?: string | null | undefined;
  /** Whether something was sent in this turn already. */
  readonly hasReplied?: boolean | null | undefined;
}

/**
 * The thread that a Slack message belongs to when its sender names none: the current one, if the message goes to the current channel.
 * Undefined otherwise, also for a target that is no Slack target. Callers who name a reply or thread do not ask.
 */
export function slackAutoThread(target: Loose, context: SlackToolContext): string | undefined {
  const channel = lowered(context.currentChannelId);
  const thread = normaliseThreadId(context.currentThreadTs);
  const mode = context.replyToMode;
  if (channel === '' || thread === undefined || (mode !== 'all' && !(mode === 'first' && context.hasReplied !== true))) return undefined;
  const parsed = parsedOrNone(trimmed(target));
  return parsed !== undefined && parsed.kind !== 'user' && parsed.id.toLowerCase() === channel ? thread : undefined;
}

function parsedOrNone(target: string): ReturnType<typeof parseSlackTarget> {
  try {
    return parseSlackTarget(target);
  } catch (error) {
    // A name instead of an id is in no current channel; the send itself reports it.
    if (PlexusError.isPlexusError(error)) return undefined;
    throw error;
  }
}
