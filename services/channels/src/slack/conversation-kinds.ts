import type { channelContracts } from '@plexus/contracts';

type Kind = channelContracts.ChatKind;

const MAX_REMEMBERED = 10_000;

/** What an event says about its conversation; mentions do not say what kind it is. */
interface Place {
  readonly channel: string;
  readonly channel_type?: string | undefined;
}

/**
 * What kind of place a conversation of Slack is. The same message may come as `message`, which says it, and as `app_mention`, which does not: both have to
 * name the same conversation. Learned from events, else asked for once.
 */
export class ConversationKinds {
  private readonly known = new Map<string, Kind>();

  /** `ask` resolves to undefined where Slack does not tell; when it rejects, so does {@link of}, and the event is to be repeated. */
  constructor(private readonly ask: (channel: string) => Promise<Kind | undefined>) {}

  async of({ channel, channel_type: type }: Place): Promise<Kind> {
    if (type !== undefined) return this.remember(channel, kindOfType(type));
    if (channel.startsWith('D')) return 'dm';
    return this.known.get(channel) ?? this.remember(channel, (await this.ask(channel)) ?? 'channel');
  }

  private remember(channel: string, kind: Kind): Kind {
    this.known.delete(channel);
    this.known.set(channel, kind);
    if (this.known.size > MAX_REMEMBERED) this.known.delete(this.known.keys().next().value as string);
    return kind;
  }
}

/** `channel_type` of an event in our words: private channels are channels, conversations of several people groups. */
function kindOfType(type: string): Kind {
  if (type === 'im') return 'dm';
  return type === 'mpim' ? 'group' : 'channel';
}
