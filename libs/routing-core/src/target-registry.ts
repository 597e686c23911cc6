import { PlexusError } from '@plexus/kernel';
import { bluebubblesGrammar } from './grammars/bluebubbles.js';
import { discordGrammar } from './grammars/discord.js';
import {
  fallbackGrammar,
  googlechatGrammar,
  nostrGrammar,
  tlonGrammar,
  upstreamGrammar,
  webhookGrammar,
  zaloGrammar,
  zalouserGrammar,
} from './grammars/others.js';
import { imessageGrammar, signalGrammar, voiceGrammar, whatsappGrammar } from './grammars/phones.js';
import { slackGrammar } from './grammars/slack.js';
import { telegramGrammar } from './grammars/telegram.js';
import { feishuGrammar, matrixGrammar, mattermostGrammar, msteamsGrammar, nextcloudTalkGrammar } from './grammars/workplaces.js';
import { type Loose, lowered, trimmed } from './normalise.js';
import type { TargetGrammar } from './target-grammar.js';

const BUNDLED: readonly TargetGrammar[] = [
  slackGrammar,
  discordGrammar,
  telegramGrammar,
  whatsappGrammar,
  signalGrammar,
  imessageGrammar,
  matrixGrammar,
  msteamsGrammar,
  mattermostGrammar,
  bluebubblesGrammar,
  nextcloudTalkGrammar,
  zaloGrammar,
  zalouserGrammar,
  nostrGrammar,
  tlonGrammar,
  feishuGrammar,
  googlechatGrammar,
  webhookGrammar,
  upstreamGrammar,
  voiceGrammar('voice'),
  voiceGrammar('voice-call'),
];

/** The grammars that a process knows: the bundled ones and those of its plugins. */
export class TargetGrammarRegistry {
  private readonly grammars: Map<string, TargetGrammar>;

  constructor(grammars: readonly TargetGrammar[] = BUNDLED) {
    this.grammars = new Map(grammars.map((grammar) => [grammar.channel, grammar]));
  }

  /** Adds the grammar of a plugin. Throws CONFLICT for a channel that has one: two grammars would mean two keys for one conversation. */
  register(grammar: TargetGrammar): this {
    const channel = lowered(grammar.channel);
    if (channel === '' || channel !== grammar.channel) {
      throw new PlexusError({
        code: 'INVALID_REQUEST',
        status: 400,
        message: 'A grammar names its channel in lower case.',
        details: { channel: grammar.channel, hint: 'Write the id that bindings use.' },
      });
    }
    if (this.grammars.has(channel)) {
      throw new PlexusError({
        code: 'CONFLICT',
        status: 409,
        message: `The channel ${channel} has a grammar already.`,
        details: { channel, hint: 'Give the channel of the plugin another id.' },
      });
    }
    this.grammars.set(channel, grammar);
    return this;
  }

  /** The channel's own grammar, or the fallback for a channel that registered none. */
  of(channel: Loose): TargetGrammar {
    return this.grammars.get(lowered(channel)) ?? fallbackGrammar;
  }

  /** Channels with a grammar of their own. */
  get channels(): readonly string[] {
    return [...this.grammars.keys()];
  }
}

export const defaultGrammars = new TargetGrammarRegistry();

/**
 * A target in the form in which it is handed to its channel and compared; undefined when it names nobody. Throws INVALID_REQUEST with a
 * hint for the names that Slack and Discord do not accept as ids; nothing else is ever thrown.
 */
export function normaliseTarget(channel: Loose, raw: Loose, registry: TargetGrammarRegistry = defaultGrammars): string | undefined {
  const target = trimmed(raw);
  if (target === '') return undefined;
  const grammar = registry.of(channel);
  return grammar.normalise ? grammar.normalise(target) : target;
}
